package sweep_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/sweep"
	report "rehearse.dev/rehearse/reports/sweep"
)

// TestGuide: the matrix in the guide is the one that was recorded; see there how to record it anew.
func TestGuide(t *testing.T) {
	t.Parallel()
	const guide, begin, end = "../../harness/docs/sweep.md", "<!-- recovery matrix: generated; see below -->\n", "<!-- end of the recovery matrix -->\n"
	data, err := os.ReadFile("testdata/clean-rollback-v2.json")
	if err != nil {
		t.Fatal(err)
	}
	var m sweep.Matrix
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	if !m.Conclusive() {
		t.Error("of some cells of the recorded matrix nothing can be said")
	}
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the matrix: %q and %q", guide, begin, end)
	}
	var want strings.Builder
	want.WriteString(before + begin)
	if err := report.WriteDigest(&want, m); err != nil {
		t.Fatal(err)
	}
	want.WriteString(end + after)
	if *update {
		if err := os.WriteFile(guide, []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want.String() != string(text) {
		t.Errorf("%s differs from the recorded matrix; run with -update", guide)
	}
}
