package assert_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/cli-utils/pkg/object/dependson"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

const (
	db       = "StatefulSet/db"
	backend  = "Deployment/backend"
	frontend = "Deployment/frontend"
)

// rollOut applies the parts at once and makes them Current in an order.
func rollOut(order ...string) func(*story) {
	return func(s *story) {
		manifest := chart("v1", 0)
		s.revise(3, manifest)
		for _, m := range manifest {
			s.apply(m)
		}
		for _, key := range order {
			key, status, other := strings.Cut(key, "=")
			if !other {
				status = "Current"
			}
			s.status(key, status)
		}
	}
}

// touch applies only some of the parts.
func touch(keys ...string) func(*story) {
	return func(s *story) {
		s.revise(3, chart("v1", 0))
		for _, m := range chart("v1", 0) {
			for _, key := range keys {
				if keyOf(m) == key {
					s.apply(m)
				}
			}
		}
		for _, key := range keys {
			s.status(key, "Current")
		}
	}
}

func TestReadinessOrder(t *testing.T) {
	t.Parallel()
	chain := &v1alpha1.ReadinessOrder{Chain: []string{db, backend, frontend}}
	instead := func(f func(*story)) edits { return edits{"instead of back": f} }
	judgeAll(t, "readinessOrder", []judgement{
		{name: "in order", want: passed, spec: chain},
		{
			name: "backend too early", edits: instead(rollOut(backend, db, frontend)), want: failed, spec: chain,
			says: []string{"Deployment/backend became Current at +", `before StatefulSet/db did at +`, `(step "back")`},
		},
		{
			name: "frontend before the first of the chain", edits: instead(rollOut(frontend, db, backend)), want: failed, spec: chain,
			says: []string{"Deployment/frontend became Current", "before StatefulSet/db did"},
		},
		{
			name: "the pair holds", edits: instead(rollOut(frontend, db, backend)), want: passed,
			spec: &v1alpha1.ReadinessOrder{Before: []v1alpha1.Before{{First: db, Then: backend}}},
		},
		{
			name: "the pair does not", edits: instead(rollOut(frontend, backend, db)), want: failed,
			spec: &v1alpha1.ReadinessOrder{Before: []v1alpha1.Before{{First: db, Then: backend}}},
		},
		{
			name: "changed but never Current", edits: instead(rollOut(db, backend)), want: failed, spec: chain,
			says: []string{`Deployment/frontend never became Current in step "back": InProgress (replicas: 0/1)`},
		},
		{
			name: "untouched counts from the start", edits: instead(touch(backend, frontend)), want: passed, spec: chain,
		},
		{
			name: "an untouched one does not break the chain", want: failed, spec: chain,
			edits: instead(touch(frontend, db)), says: []string{"Deployment/frontend became Current", "before StatefulSet/db"},
		},
		{
			name: "nothing happened", edits: instead(nothing), want: inconclusive, spec: chain,
			says: []string{"the step says nothing about it"},
		},
		{
			name: "only the first changed", edits: instead(touch(db)), want: inconclusive, spec: chain,
			says: []string{"the step says nothing about it"},
		},
		{
			name: "left over from the step before", want: failed, spec: chain,
			edits: edits{
				"instead of v2": func(s *story) { // ends before its backend is Current
					s.revise(2, chart("v2", 0))
					for _, m := range chart("v2", 0) {
						s.apply(m)
					}
				},
				"instead of back": func(s *story) { // db is Current with v2, then rolled back; backend overtakes it
					s.status(db, "Current")
					rollOut(backend, db, frontend)(s)
				},
			}, says: []string{"Deployment/backend became Current", "before StatefulSet/db"},
		},
		{
			name: "flapping afterwards is no matter of order", want: passed, spec: chain,
			edits: instead(rollOut(db, backend, db+"=InProgress", frontend, db)),
		},
		{
			name: "a change that leaves it Current", want: passed,
			edits: instead(rollOut(db, backend, frontend)),
			spec:  &v1alpha1.ReadinessOrder{Chain: []string{"ConfigMap/settings", db}},
		},
		{
			name: "status lost and regained without a change", want: failed,
			edits: instead(func(s *story) {
				s.status(db, "InProgress")
				touch(backend)(s)
				s.status(db, "Current")
			}),
			spec: &v1alpha1.ReadinessOrder{Chain: []string{db, backend}},
		},
		{
			name: "deleted", edits: instead(func(s *story) { touch(backend)(s); s.remove(db) }), want: failed,
			spec: &v1alpha1.ReadinessOrder{Chain: []string{db, backend}}, says: []string{"StatefulSet/db never became Current", "NotFound"},
		},
		{
			name: "never seen", want: inconclusive, spec: &v1alpha1.ReadinessOrder{Chain: []string{"StatefulSet/cache", backend}},
			says: []string{"StatefulSet/cache matches nothing"},
		},
		{
			name: "gap", edits: edits{"back": func(s *story) { s.gap("statefulsets.apps") }}, want: inconclusive, spec: chain,
			says: []string{`evidence about statefulsets.apps may be missing in step "back": too old resource version`},
		},
		{name: "gap elsewhere", edits: edits{"back": func(s *story) { s.gap("jobs.batch") }, "v2": func(s *story) { s.gap("statefulsets.apps") }}, want: passed, spec: chain},
		{name: "at an earlier step", edits: instead(nothing), want: passed, spec: &v1alpha1.ReadinessOrder{At: "v1", Chain: chain.Chain}},
	})
}

// annotated doctors the annotations of the newest revision's manifest, by object.
func annotated(annotations map[string]map[string]any) func(*story) {
	return func(s *story) {
		manifest := chart("v1", 0)
		for _, m := range manifest {
			delete(m["metadata"].(map[string]any), "annotations")
			if a := annotations[keyOf(m)]; a != nil {
				m["metadata"].(map[string]any)["annotations"] = a
			}
		}
		s.newest().Manifest = manifest
	}
}

func TestReadinessOrderFromAnnotations(t *testing.T) {
	t.Parallel()
	group := func(name, needs string) map[string]any {
		a := map[string]any{"helm.sh/resource-group": name}
		if needs != "" {
			a["helm.sh/depends-on/resource-groups"] = needs
		}
		return a
	}
	groups := annotated(map[string]map[string]any{db: group("data", ""), backend: group("app", `["data"]`), frontend: group("app", "")})
	dependsOn := &v1alpha1.ReadinessOrder{From: "dependsOn"}
	hip := &v1alpha1.ReadinessOrder{From: "hip0025"}
	judgeAll(t, "readinessOrder", []judgement{
		{name: "depends-on holds", want: passed, spec: dependsOn},
		{
			name: "depends-on does not", edits: edits{"instead of back": rollOut(backend, db, frontend)}, want: failed, spec: dependsOn,
			says: []string{"Deployment/backend became Current", "before StatefulSet/db"},
		},
		{
			name: "none", edits: edits{"back": annotated(nil)}, want: inconclusive, spec: dependsOn,
			says: []string{"no object of revision 3 has annotations that state an order (dependsOn)"},
		},
		{
			name: "malformed", want: inconclusive, spec: dependsOn,
			edits: edits{"back": annotated(map[string]map[string]any{backend: {"config.kubernetes.io/depends-on": "StatefulSet/db"}})},
			says:  []string{`Deployment/backend: annotation config.kubernetes.io/depends-on: "StatefulSet/db" is neither`},
		},
		{
			name: "dependency that is not there", want: inconclusive, spec: dependsOn,
			edits: edits{"back": annotated(map[string]map[string]any{backend: {"config.kubernetes.io/depends-on": "/namespaces/ns/Service/x"}})},
			says:  []string{"Service/x matches nothing"},
		},
		{
			name: "over one that the step leaves alone", want: failed, spec: dependsOn,
			edits: edits{"instead of back": func(s *story) {
				s.revise(3, chart("v1", 0))
				for _, m := range chart("v1", 0) {
					if key := keyOf(m); key == db || key == frontend {
						s.apply(m)
					}
				}
				s.status(frontend, "Current")
				s.status(db, "Current")
				annotated(map[string]map[string]any{
					backend:  {"config.kubernetes.io/depends-on": "apps/namespaces/ns/StatefulSet/db"},
					frontend: {"config.kubernetes.io/depends-on": "apps/namespaces/ns/Deployment/backend"},
				})(s)
			}},
			says: []string{"Deployment/frontend became Current", "before StatefulSet/db"},
		},
		{name: "groups hold", edits: edits{"back": groups}, want: passed, spec: hip},
		{
			name: "groups do not", edits: edits{"instead of back": rollOut(backend, db, frontend), "back": groups}, want: failed, spec: hip,
			says: []string{"Deployment/backend became Current"},
		},
		{
			name: "a member of the group", edits: edits{"instead of back": rollOut(frontend, db, backend), "back": groups}, want: failed, spec: hip,
			says: []string{"Deployment/frontend became Current"},
		},
		{name: "no groups", want: inconclusive, spec: hip, says: []string{"no object of revision 3 has annotations"}},
		{
			name: "empty group", want: inconclusive, spec: hip,
			edits: edits{"back": annotated(map[string]map[string]any{backend: group("app", `["data"]`)})},
			says:  []string{`group "app" depends on group "data", which has no objects`},
		},
		{
			name: "malformed groups", want: inconclusive, spec: hip,
			edits: edits{"back": annotated(map[string]map[string]any{backend: group("app", `data`)})},
			says:  []string{"is no JSON list of groups: data"},
		},
		{
			name: "no revision", edits: edits{"back": func(s *story) { s.ledger = evidence.Ledger{} }}, want: inconclusive, spec: hip,
			says: []string{"there is no revision"},
		},
	})
}

// TestDependsOnAsCLIUtils: the annotation means what cli-utils, which defined it, reads in it.
func TestDependsOnAsCLIUtils(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"apps/namespaces/ns/StatefulSet/db", "/Namespace/x", " rbac.authorization.k8s.io/ClusterRole/r ", "StatefulSet/db", "a/b/c/d/e", ""} {
		theirs, theirErr := dependson.ParseObjMetadata(text)
		want := inconclusive
		if theirErr == nil {
			want = failed // the dependency is seen to come later
		}
		b := play(t, edits{"instead of back": func(s *story) {
			rollOut(backend)(s)
			group := theirs.GroupKind.Group
			if group != "" {
				group += "/"
			}
			o := parse(`{apiVersion: ` + group + `v1, kind: "` + theirs.GroupKind.Kind + `", metadata: {name: "` + theirs.Name + `", namespace: "` + theirs.Namespace + `", uid: new}}`)
			if theirErr == nil {
				s.put(o)
				s.transition(refOf(o), "InProgress")
				s.transition(refOf(o), "Current")
			}
			annotated(map[string]map[string]any{backend: {"config.kubernetes.io/depends-on": text}})(s)
		}})
		got := judgeOne(t, b, "readinessOrder", &v1alpha1.ReadinessOrder{From: "dependsOn"})
		if got.Status != want {
			t.Errorf("%q: %s: %s (cli-utils: %v)", text, got.Status, got.Message, theirErr)
		}
	}
}
