package trackrecord_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/trackrecord"
)

var rows = []trackrecord.Row{
	{Pitfall: 10, Scenario: "late", File: "scenarios/a/late.yaml", Defect: "Was | not <found>", Issue: "helm/helm#1"},
	{Pitfall: 2, Scenario: "early", File: "scenarios/a/early.yaml", Defect: "Shows", Shows: true},
	{Pitfall: 2, Scenario: "broken", File: "scenarios/a/broken.yaml", Defect: "Failed", Shows: true},
}

func helm(v verdict.Variant) string { return v.Matrix["helm"] }

func variant(scenario, version string, status verdict.Status) verdict.Variant {
	return verdict.Variant{Scenario: scenario, Matrix: map[string]string{"helm": version}, Status: status}
}

func TestOf(t *testing.T) {
	t.Parallel()
	run := verdict.Run{Variants: []verdict.Variant{
		variant("early", "4.9.0", verdict.Passed), variant("early", "4.10.0", verdict.Passed), variant("early", "4.9.0", verdict.Passed),
		variant("broken", "4.3.1", verdict.Passed), variant("broken", "4.3.1", verdict.Failed),
		variant("of no row", "4.3.1", verdict.Passed),
	}}
	want := trackrecord.Outcomes{
		"early":  {Verdict: verdict.Passed, Helm: []string{"4.10.0", "4.9.0"}},
		"broken": {Verdict: verdict.Failed, Helm: []string{"4.3.1"}},
	}
	if diff := cmp.Diff(want, trackrecord.Of(run, rows, helm)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	got := trackrecord.Table(rows, trackrecord.Outcomes{
		"late":   {Verdict: verdict.Passed, Helm: []string{"4.3.1", "4.2.0"}},
		"early":  {Verdict: verdict.Passed, Helm: []string{"4.3.1"}},
		"broken": {Verdict: verdict.Failed, Helm: []string{"4.3.1"}},
	})
	want := "| # | defect | issue | `bin/rehearse run` | shows in Helm | last verdict |\n|---|---|---|---|---|---|\n" +
		"| 2 | Failed |  | `scenarios/a/broken.yaml` | not known | failed |\n" +
		"| 2 | Shows |  | `scenarios/a/early.yaml` | 4.3.1 | passed |\n" +
		"| 10 | Was \\| not &lt;found> | [helm/helm#1](https://github.com/helm/helm/issues/1) | `scenarios/a/late.yaml` | not in 4.3.1, 4.2.0 | passed |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	before := trackrecord.Outcomes{"late": {Verdict: verdict.Passed, Helm: []string{"4.3.1"}}, "early": {Verdict: verdict.Passed, Helm: []string{"4.3.1"}}}
	now := trackrecord.Outcomes{"late": {Verdict: verdict.Passed, Helm: []string{"4.3.1"}}, "early": {Verdict: verdict.Failed, Helm: []string{"4.3.1"}}}
	want := []trackrecord.Difference{{Scenario: "early", Before: "passed with Helm 4.3.1", Now: "failed with Helm 4.3.1"}}
	if diff := cmp.Diff(want, trackrecord.Compare(rows, before, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document, want string
		err            error
	}{
		"in place":     {document: "a\n" + trackrecord.Begin + "\nold\n" + trackrecord.End + "\nb\n", want: "a\n" + trackrecord.Begin + "\nnew\n" + trackrecord.End + "\nb\n"},
		"no beginning": {document: "a\n" + trackrecord.End + "\n", err: trackrecord.ErrNoPlace},
		"no end":       {document: trackrecord.Begin + "\nold\n", err: trackrecord.ErrNoPlace},
	} {
		got, err := trackrecord.Replace(test.document, "new\n")
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
