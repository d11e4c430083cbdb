package json_test

import (
	"bytes"
	stdjson "encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/sample"
	"rehearse.dev/rehearse/reports/json"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func TestWriteGolden(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := json.Write(&b, sample.Run()); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/report.json"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs (-want +got), run with -update if that is right:\n%s", file, diff)
	}
}

func TestWriteIsReadBack(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := json.Write(&b, sample.Run()); err != nil {
		t.Fatal(err)
	}
	var got verdict.Run
	if err := stdjson.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample.Run(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestWriteHasNoNullLists(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := json.Write(&b, verdict.Run{Variants: []verdict.Variant{{Scenario: "s"}}}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("a null in\n%s", b.String())
	}
}
