package compare_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/compare"
)

var update = flag.Bool("update", false, "write the golden files anew")

func variant(name string, status verdict.Status, verdicts ...verdict.Verdict) verdict.Variant {
	return verdict.Variant{Scenario: name, Status: status, Verdicts: verdicts}
}

func says(name string, status verdict.Status, message string) verdict.Verdict {
	return verdict.Verdict{Name: name, Status: status, Message: message}
}

func run(id, provider string, variants ...verdict.Variant) verdict.Run {
	for i := range variants {
		variants[i].Provider = provider
	}
	return verdict.Run{ID: id, Variants: variants}
}

// sample are two runs that differ in every way they can.
func sample() (a, b verdict.Run) {
	skipped := variant("simulated", verdict.Skipped)
	skipped.Reason = "not on kind: a kubelet does otherwise"
	errored := variant("broken", verdict.Errored)
	errored.Reason = "no node image"
	a = run("1", "embedded",
		variant("clean", verdict.Passed, says("v1", verdict.Passed, ""), says("live", verdict.Passed, "")),
		variant("order", verdict.Passed, says("v1", verdict.Passed, ""), says("chain", verdict.Passed, ""), says("old", verdict.Passed, "")),
		variant("simulated", verdict.Passed, says("v1", verdict.Passed, "")),
		variant("broken", verdict.Passed, says("v1", verdict.Passed, "")),
		variant("here", verdict.Passed),
	)
	b = run("2", "kind",
		variant("clean", verdict.Passed, says("v1", verdict.Passed, ""), says("live", verdict.Passed, "")),
		variant("order", verdict.Failed, says("v1", verdict.Passed, ""), says("chain", verdict.Failed, "backend came first,\nthen db"), says("new", verdict.Passed, "")),
		skipped, errored,
		variant("there", verdict.Passed),
	)
	return a, b
}

func TestText(t *testing.T) {
	t.Parallel()
	a, b := sample()
	for _, all := range []bool{false, true} {
		var out bytes.Buffer
		if err := compare.WriteText(&out, compare.Runs(a, b), all); err != nil {
			t.Fatal(err)
		}
		name := map[bool]string{false: "testdata/differences.golden.txt", true: "testdata/all.golden.txt"}[all]
		if *update {
			if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s (-want +got); -update writes it anew:\n%s", name, diff)
		}
	}
}

func TestCommon(t *testing.T) {
	t.Parallel()
	a, b := sample()
	c := compare.Common(a, b)
	if len(c.Variants) != 4 || len(a.Variants) != 5 {
		t.Errorf("%d of %d variants are in both runs, want 4 of 5: %+v", len(c.Variants), len(a.Variants), c)
	}
	const left = "; left out: 1 only in embedded, 1 only in kind"
	if got := c.Summary(); !strings.HasSuffix(got, left) || strings.Contains(compare.Runs(a, b).Summary(), "left out") {
		t.Errorf("%q should end with %q, and only where something is left out", got, left)
	}
	for _, v := range c.Variants {
		if v.ID == "here" || v.ID == "there" {
			t.Errorf("%s is in one run only", v.ID)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	one := variant("clean", verdict.Passed, says("v1", verdict.Passed, ""))
	skipped := verdict.Variant{Scenario: "clean", Status: verdict.Skipped, Reason: "not here"}
	rule := func(status verdict.Status) verdict.Verdict {
		return verdict.Verdict{Name: "readiness Deployment/web", Kind: "readiness", Status: status}
	}
	ruled := variant("clean", verdict.Passed, one.Verdicts[0], rule(verdict.Passed))
	unheld := variant("clean", verdict.Inconclusive, one.Verdicts[0], rule(verdict.Inconclusive))
	for name, test := range map[string]struct {
		a, b verdict.Variant
		want bool
	}{
		"equal":               {one, one, true},
		"skipped on one side": {one, skipped, true},
		"another scenario":    {one, variant("other", verdict.Passed), false},
		"another verdict":     {one, variant("clean", verdict.Passed, says("v1", verdict.Failed, "")), false},
		"a verdict missing":   {one, variant("clean", verdict.Passed), false},
		"a verdict more":      {variant("clean", verdict.Passed), one, false},
		"errored as a whole":  {one, variant("clean", verdict.Errored, says("v1", verdict.Passed, "")), false},
		// A run of an older version has no verdicts on readiness rules.
		"no readiness verdict, then one": {one, ruled, true},
		"a readiness verdict, then none": {ruled, one, true},
		"another readiness verdict":      {ruled, variant("clean", verdict.Passed, one.Verdicts[0], rule(verdict.Skipped)), false},
		"a rule that held for no pod":    {one, unheld, false},
		"failed on both sides":           {variant("clean", verdict.Failed), variant("clean", verdict.Failed), true},
	} {
		if got := compare.Runs(run("1", "x", test.a), run("2", "y", test.b)).Same; got != test.want {
			t.Errorf("%s: same is %t, want %t", name, got, test.want)
		}
	}
}

// TestColumns: runs on the same provider are told apart by their names.
func TestColumns(t *testing.T) {
	t.Parallel()
	one := variant("clean", verdict.Passed)
	if got := compare.Runs(run("1", "kind", one), run("2", "kind", one)).Columns; got != [2]string{"1", "2"} {
		t.Errorf("columns %q", got)
	}
	if got := compare.Runs(run("1", "embedded", one), run("2", "kind", one)).Columns; got != [2]string{"embedded", "kind"} {
		t.Errorf("columns %q", got)
	}
}
