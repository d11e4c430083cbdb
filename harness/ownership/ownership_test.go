package ownership_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
)

// deployment is a Deployment as an API server shows it after Helm applied it, an autoscaler scaled it and a hand
// edited it.
const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: backend
  namespace: ns
  annotations: {note.example.com/by: hand}
  managedFields:
  - manager: hpa
    operation: Update
    subresource: scale
    apiVersion: apps/v1
    time: "2026-01-02T03:04:06Z"
    fieldsType: FieldsV1
    fieldsV1: {"f:spec": {"f:replicas": {}}}
  - manager: helm
    operation: Apply
    apiVersion: apps/v1
    time: "2026-01-02T03:04:05Z"
    fieldsType: FieldsV1
    fieldsV1:
      f:spec:
        f:selector: {}
        f:template:
          f:spec:
            f:containers:
              k:{"name":"app"}:
                .: {}
                f:name: {}
                f:image: {}
                f:command: {}
                f:ports:
                  k:{"containerPort":80,"protocol":"TCP"}: {.: {}, f:containerPort: {}, f:name: {}}
  - manager: kubectl-edit
    operation: Update
    apiVersion: apps/v1
    time: "2026-01-02T03:04:07Z"
    fieldsType: FieldsV1
    fieldsV1:
      f:metadata: {f:annotations: {.: {}, f:note.example.com/by: {}}, f:finalizers: {.: {}, 'v:"example.com/hold"': {}}}
      f:spec: {f:template: {f:spec: {f:containers: {'k:{"name":"app"}': {f:env: {.: {}, 'k:{"name":"X"}': {.: {}, f:name: {}, f:value: {}}}}}}}}
  - manager: kubectl-edit
    operation: Update
    apiVersion: apps/v1beta2
    time: "2026-01-02T03:04:08Z"
    fieldsType: FieldsV1
    fieldsV1: {"f:spec": {"f:paused": {}}}
  finalizers: [example.com/hold]
spec:
  replicas: 5
  paused: true
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: backend}}
  template:
    spec:
      containers:
      - name: app
        image: app:1
        command: [run, fast]
        ports: [{containerPort: 80, protocol: TCP, name: http}]
        env: [{name: X, value: "1"}]
`

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOwners(t *testing.T) {
	t.Parallel()
	o := object(t, deployment)
	const app = ".spec.template.spec.containers[name=app]"
	for _, tc := range []struct {
		path string
		want string
	}{
		{".spec.replicas", "hpa (Update, scale)"},
		{app + ".image", "helm (Apply)"},
		{app + ".env[name=X].value", "kubectl-edit (Update)"},
		{app, "helm (Apply), kubectl-edit (Update)"},
		{".spec.template.spec.containers[0].image", "helm (Apply)"},
		{app + ".ports[containerPort=80]", "helm (Apply)"},
		{app + ".ports[name=http].containerPort", "helm (Apply)"},
		{app + ".ports[containerPort=81]", ""},
		// Atomic lists and maps are owned as a whole.
		{app + ".command[1]", "helm (Apply) above"},
		{".spec.selector.matchLabels.app", "helm (Apply) above"},
		{app + ".command[7]", ""},
		{`.metadata.annotations["note.example.com/by"]`, "kubectl-edit (Update)"},
		// Nobody owns it although a manager owns the map around it.
		{`.metadata.annotations["absent"]`, ""},
		{".metadata.finalizers[=example.com/hold]", "kubectl-edit (Update)"},
		{".metadata.finalizers[0]", "kubectl-edit (Update)"},
		{".spec.progressDeadlineSeconds", ""},
		{".spec", "helm (Apply), hpa (Update, scale), kubectl-edit (Update)"},
		{"", "helm (Apply), hpa (Update, scale), kubectl-edit (Update)"},
	} {
		owners, err := ownership.Owners(o, parse(t, tc.path))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, owner := range owners {
			text := owner.String()
			if owner.Above {
				text += " above"
			}
			texts = append(texts, text)
		}
		if got := strings.Join(texts, ", "); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.path, got, tc.want)
		}
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	entries, err := ownership.Entries(object(t, deployment))
	if err != nil {
		t.Fatal(err)
	}
	// The two entries of kubectl-edit differ in apiVersion only.
	if len(entries) != 3 || entries[2].Time.Second() != 8 || entries[2].Fields.Size() < 8 {
		t.Errorf("entries = %+v", entries)
	}
	bad := object(t, deployment)
	first := bad["metadata"].(map[string]any)["managedFields"].([]any)[0].(map[string]any)
	first["fieldsV1"] = map[string]any{"k:{broken": map[string]any{}}
	if _, err := ownership.Entries(bad); err == nil || !strings.Contains(err.Error(), "managedFields[0] of Deployment/backend") {
		t.Errorf("err = %v", err)
	}
	if entries, err := ownership.Entries(nil); err != nil || len(entries) != 0 {
		t.Errorf("no object: %v, %v", entries, err)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	o := object(t, deployment)
	for path, want := range map[string]any{
		".spec.template.spec.containers[name=app].ports[name=http].containerPort": float64(80),
		".metadata.finalizers[=example.com/hold]":                                 "example.com/hold",
		".spec.template.spec.containers[0].command[1]":                            "fast",
		".spec.template.spec.containers[name=none]":                               nil,
		".spec.replicas[0]": nil,
		".spec.containers":  nil,
	} {
		if got, found := ownership.Value(o, parse(t, path)); found != (want != nil) || !cmp.Equal(got, want) {
			t.Errorf("%s = %v, %v", path, got, found)
		}
	}
}

// managed is an object in which one manager owns some fields of spec.
func managed(entries ...string) map[string]any {
	var list []any
	for _, e := range entries {
		manager, fields, _ := strings.Cut(e, ":")
		spec := map[string]any{}
		for f := range strings.SplitSeq(fields, ",") {
			spec["f:"+f] = map[string]any{}
		}
		list = append(list, map[string]any{"manager": manager, "operation": "Update", "fieldsV1": map[string]any{"f:spec": spec}})
	}
	return map[string]any{"kind": "X", "metadata": map[string]any{"name": "x", "managedFields": list}}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		before, after map[string]any
		want          []string
	}{
		{"same", managed("a:r,p"), managed("a:p,r"), nil},
		{"handed over", managed("hpa:r", "helm:p"), managed("helm:p,r"), []string{".spec.r lost hpa (Update), gained helm (Update)"}},
		{"shared", managed("a:r"), managed("a:r", "b:r"), []string{".spec.r gained b (Update)"}},
		{"made", nil, managed("a:p,r"), []string{".spec.p gained a (Update)", ".spec.r gained a (Update)"}},
		{"gone", managed("b:r", "a:r"), nil, []string{".spec.r lost a (Update) and b (Update)"}},
	} {
		changes, err := ownership.Diff(tc.before, tc.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, c.String())
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestCollapse(t *testing.T) {
	t.Parallel()
	a, b := []ownership.Manager{{Name: "a"}}, []ownership.Manager{{Name: "b"}}
	all := []ownership.Change{
		{Path: parse(t, ".c[name=x]"), Lost: a},
		{Path: parse(t, ".c[name=x].image"), Lost: a},
		{Path: parse(t, ".c[name=x].name"), Lost: a, Gained: b},
		{Path: parse(t, ".d"), Lost: a},
	}
	got := ownership.Collapse(all)
	if len(got) != 3 || got[1].Path.String() != ".c[name=x].name" {
		t.Errorf("collapsed to %v", got)
	}
}

// version is one object version of a doctored timeline.
type version struct {
	step    string
	change  evidence.Change
	value   int
	manager string
}

func bundle(t *testing.T, versions []version) (*evidence.Bundle, evidence.Ref) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "b")
	var now time.Duration
	r, err := evidence.Create(dir, evidence.Variant{}, evidence.WithClock(func() time.Duration { now += time.Second; return now }))
	if err != nil {
		t.Fatal(err)
	}
	ref := evidence.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "ns", Name: "backend"}
	for i, v := range versions {
		r.SetStep(v.step)
		o := managed(v.manager + ":replicas")
		o["spec"] = map[string]any{"replicas": v.value}
		r.Object(evidence.ObjectVersion{Ref: ref, Change: v.change, ResourceVersion: fmt.Sprint(i)}, o)
		r.Record(evidence.Event{Phase: &evidence.Phase{Name: "noise"}})
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b, ref
}

func TestBlame(t *testing.T) {
	t.Parallel()
	life := []version{
		{"v1", evidence.Added, 2, "helm"},
		{"scaled", evidence.Modified, 5, "hpa"},
		{"v2", evidence.Modified, 5, "hpa"},
		{"back", evidence.Modified, 5, "helm"},
		{"back", evidence.Modified, 5, "helm"},
		{"end", evidence.Deleted, 5, "helm"},
	}
	for _, tc := range []struct {
		name     string
		versions []version
		path     string
		until    int64
		value    string
		owners   string
	}{
		{
			"value and owner differ", life, ".spec.replicas", 10,
			`since step "scaled" (+3s), by hpa (Update)`, `since step "back" (+7s), by helm (Update)`,
		},
		{
			"until is respected", life, ".spec.replicas", 5,
			`since step "scaled" (+3s), by hpa (Update)`, `since step "scaled" (+3s), by hpa (Update)`,
		},
		{
			"the whole object", life, "", 10,
			`since step "v1" (+1s), by helm (Update)`, `since step "back" (+7s), by helm (Update)`,
		},
		{"deletion", life, "", 0, `since step "end" (+11s)`, `since step "end" (+11s)`},
		{
			"there from the beginning",
			[]version{{"", evidence.Initial, 2, "helm"}},
			".spec.replicas", 0,
			"since before the first step (+1s)", "since before the first step (+1s)",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, ref := bundle(t, tc.versions)
			h, err := ownership.Blame(b, ref, parse(t, tc.path), tc.until)
			if err != nil {
				t.Fatal(err)
			}
			if h.Value.String() != tc.value || h.Owners.String() != tc.owners {
				t.Errorf("value %s\nowners %s", h.Value, h.Owners)
			}
		})
	}
}

func TestBlameWithoutHistory(t *testing.T) {
	t.Parallel()
	b, ref := bundle(t, []version{{"v1", evidence.Added, 1, "helm"}})
	other := ref
	other.Name = "other"
	if _, err := ownership.Blame(b, other, nil, 0); !errors.Is(err, ownership.ErrNoHistory) {
		t.Errorf("err = %v", err)
	}
}
