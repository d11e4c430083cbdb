package runner

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
)

// TestHide: no secret is left in what becomes plan.json, wherever the author put it, even if it reads like a part of the
// plan itself; and the plan that is run stays as it is.
func TestHide(t *testing.T) {
	t.Parallel()
	plans := prepare(t, map[string]string{"s": `  release: {name: r, chart: hooks, values: {password: hunter2-hunter2, other: {deep: [xhunter2-hunter2x]}}}
  actors:
  - {name: a, apply: {manifest: {apiVersion: v1, kind: Secret, metadata: {name: mine}, stringData: {k: from-an-actor}}}}
  - {name: b, patch: {object: Secret/s, type: merge, patch: {stringData: {k: from-a-patch}}}}
  - {name: c, patch: {object: Secret/s, type: json, patch: [{op: replace, path: /data/k, value: ZnJvbS1qc29u}]}}
  - {name: d, edit: {object: Secret/s, merge: {data: {k: ZnJvbS1lZGl0}}}}
  - {name: e, patch: {object: ConfigMap/c, type: merge, patch: {data: {k: no-secret}}}}
  - {name: f, patch: {object: Secret/s, type: json, patch: [{op: replace, path: /data, value: {k: d2hvbGUtZGF0YQ==}}]}}
  steps:
  - {name: v1, install: {values: {password: rollback}}, expect: {error: {contains: "a from-an-actor b", matches: from-an-actor}}}
  - {name: v2, upgrade: {}}
  - {name: back, rollback: 1}
  - {name: w, await: {object: ConfigMap/note, field: {path: .data.note, equals: hunter2-hunter2}}}
  assert:
  - object: {object: ConfigMap/note, match: {data: {note: hunter2-hunter2}}}
  - ledger: {statuses: {1: deployed}}
`}, charts)
	before := asJSON(plans[0])
	redactor, err := evidence.NewRedactor()
	if err != nil {
		t.Fatal(err)
	}
	if err := learn(redactor, plans); err != nil {
		t.Fatal(err)
	}
	hidden, err := hide(redactor, plans[0])
	if err != nil {
		t.Fatal(err)
	}
	if after := asJSON(plans[0]); after != before {
		t.Errorf("the plan itself was changed (-before +after):\n%s", cmp.Diff(before, after))
	}
	text := asJSON(hidden)
	for _, secret := range []string{"hunter2-hunter2", "from-an-actor", "from-a-patch", "from-json", "ZnJvbS1qc29u", "ZnJvbS1lZGl0", "d2hvbGUtZGF0YQ=="} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is left in %s", secret, text)
		}
	}
	if n := strings.Count(text, evidence.RedactedPrefix); n != 12 || !strings.Contains(text, "no-secret") {
		t.Errorf("%d values are redacted, want 12: %s", n, text)
	}
	data, err := json.Marshal(hidden)
	if err != nil {
		t.Fatal(err)
	}
	again, err := plan.Read(data, Catalog())
	if err != nil {
		t.Fatalf("the plan cannot be read back: %v", err)
	}
	if got := again.Steps[2].Operation; got != "rollback" {
		t.Errorf("the operation is %q by now", got)
	}
}
