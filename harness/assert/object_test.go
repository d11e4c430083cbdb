package assert_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

// wrote has an actor write to a cluster-scoped object.
func wrote(kind, name string) func(*story) {
	return func(s *story) {
		s.rec.Record(evidence.Event{Write: &evidence.ActorWrite{
			Actor: "a", Verb: "create", Ref: evidence.Ref{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: kind, Name: name},
		}})
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	match := func(object, fields string) *v1alpha1.ObjectMatch {
		return &v1alpha1.ObjectMatch{Object: object, Match: parse(fields)}
	}
	remake := func(s *story) {
		old := clone(s.live["ConfigMap/settings"])
		s.remove("ConfigMap/settings")
		old["metadata"].(map[string]any)["uid"] = "another"
		s.put(old)
	}
	judgeAll(t, "object", []judgement{
		{name: "exists", want: passed, spec: &v1alpha1.ObjectMatch{Object: backend}},
		{name: "fits", want: passed, spec: match(backend, `{spec: {replicas: 5, paused: false}, metadata: {labels: null}}`)},
		{name: "fits as another type of number", want: passed, spec: &v1alpha1.ObjectMatch{Object: backend, Match: map[string]any{"spec": map[string]any{"replicas": 5.0}}}},
		{
			name: "another value", want: failed, spec: match(backend, `{spec: {replicas: 2}}`),
			says: []string{`Deployment/backend .spec.replicas: expected 2, seen 5, since step "scaled"`, "by hpa (Update, scale)"},
		},
		{name: "a field that is absent", want: failed, spec: match(backend, `{spec: {paused: true}}`), says: []string{".spec.paused: expected true, seen nothing"}},
		{name: "a field that must be absent", want: failed, spec: match(backend, `{spec: {replicas: null}}`), says: []string{".spec.replicas: expected nothing, seen 5"}},
		{name: "keyed list", want: passed, spec: match(backend, `{spec: {template: {spec: {containers: [{name: app, image: "app:v1"}]}}}}`)},
		{
			name: "entry of a keyed list", want: failed, spec: match(backend, `{spec: {template: {spec: {containers: [{name: app, image: "app:v9"}]}}}}`),
			says: []string{`.spec.template.spec.containers[name=app].image: expected "app:v9", seen "app:v1"`},
		},
		{
			name: "missing entry", want: failed, spec: match(backend, `{spec: {template: {spec: {containers: [{name: sidecar}]}}}}`),
			says: []string{`containers[name=sidecar]: expected {"name":"sidecar"}, seen nothing`},
		},
		{
			name: "list that is no keyed one", want: failed, spec: match(backend, `{spec: {template: {spec: {containers: [{name: app, args: [--fast]}]}}}}`),
			says: []string{`args: expected ["--fast"], seen ["--fast","--loud"]`},
		},
		{
			name: "entry of that", want: failed, spec: match(backend, `{spec: {template: {spec: {containers: [{name: app, args: [--slow, --loud]}]}}}}`),
			says: []string{`args[0]: expected "--slow", seen "--fast"`},
		},
		{name: "a map is no list", want: failed, spec: match(backend, `{spec: {template: {spec: {containers: {a: b}}}}}`), says: []string{`containers: expected {"a":"b"}`}},
		{
			name: "secret value", want: inconclusive, spec: match("Secret/creds", `{data: {password: aHVudGVyMjI=}}`),
			says: []string{"Secret/creds .data.password is a secret value, which the evidence holds as a hash"},
		},
		{
			name: "secret value as the evidence has it", want: inconclusive, spec: match("ConfigMap/settings", `{data: {tag: "redacted:sha256:0"}}`),
			edits: edits{"back": func(s *story) {
				s.edit("ConfigMap/settings", func(o map[string]any) { o["data"] = map[string]any{"tag": "redacted:sha256:0"} })
			}}, says: []string{".data.tag is a secret value"},
		},
		{name: "with its group", want: passed, spec: &v1alpha1.ObjectMatch{Object: "Deployment.apps/ns/backend"}},
		{
			name: "ambiguous", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: backend},
			edits: edits{"back": func(s *story) {
				s.live["extra"] = parse(`{apiVersion: example.com/v1, kind: Deployment, metadata: {name: backend, namespace: ns}}`)
			}},
			says: []string{"Deployment/backend means several objects: write the group too"},
		},
		{
			name: "gone", edits: edits{"v2": func(s *story) { s.remove("ConfigMap/settings") }, "instead of back": nothing}, want: failed,
			spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings"},
			says: []string{`ConfigMap/settings does not exist at the end of step "back", since step "v2"`},
		},
		{
			name: "in a manifest only", want: failed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/extra"},
			edits: edits{"back": func(s *story) {
				s.newest().Manifest = append(chart("v1", 0), parse(`{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}}`))
			}},
			says: []string{`ConfigMap/extra does not exist at the end of step "back"`},
		},
		{
			name: "in a namespace that is not watched", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/kube-system/far", Absent: true},
			edits: manifestWith(`{apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: kube-system}}`),
			says:  []string{"ConfigMap/kube-system/far is outside of the scenario's namespace and was not watched"},
		},
		{
			name: "there, and expected to exist", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/kube-system/far"},
			edits: manifestWith(`{apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: kube-system}}`),
			says:  []string{"was not watched"},
		},
		{
			name: "there, but watched, and absent", want: passed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/kube-system/watched", Absent: true},
			edits: manifestWith(`{apiVersion: v1, kind: ConfigMap, metadata: {name: watched, namespace: kube-system}}`),
		},
		{
			name: "there, but watched, and expected to exist", want: failed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/kube-system/watched"},
			edits: manifestWith(`{apiVersion: v1, kind: ConfigMap, metadata: {name: watched, namespace: kube-system}}`),
			says:  []string{`does not exist at the end of step "back"`},
		},
		{
			name: "of an actor, outside of namespaces", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "ClusterRole/far", Absent: true},
			edits: edits{"back": wrote("ClusterRole", "far")}, says: []string{"ClusterRole/far is outside of the scenario's namespace and was not watched"},
		},
		{
			name: "of an actor, there, but watched", want: passed, spec: &v1alpha1.ObjectMatch{Object: "ClusterRole/watched", Absent: true},
			edits: edits{"back": wrote("ClusterRole", "watched")},
		},
		{name: "unknown", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/x"}, says: []string{"ConfigMap/x matches nothing"}},
		{name: "malformed", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "settings"}, says: []string{"not a reference"}},

		{name: "absent", edits: edits{"back": func(s *story) { s.remove("ConfigMap/settings") }}, want: passed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", Absent: true}},
		{name: "absent hook", want: passed, spec: &v1alpha1.ObjectMatch{Object: "Job/migrate", Absent: true}},
		{
			name: "not absent", want: failed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", Absent: true},
			says: []string{`ConfigMap/settings must not exist, but does, since step "v1"`, "by helm (Apply)"},
		},
		{
			name: "being deleted", want: failed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", Absent: true},
			edits: edits{"back": func(s *story) {
				s.edit("ConfigMap/settings", func(o map[string]any) { o["metadata"].(map[string]any)["deletionTimestamp"] = "2026-01-02T03:04:05Z" })
			}},
			says: []string{"but does (it is being deleted)"},
		},
		{name: "absent but unknown", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/x", Absent: true}, says: []string{"ConfigMap/x matches nothing"}},
		{
			name: "absent but unwatched", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "Job/migrate", Absent: true},
			edits: edits{"before v1": func(s *story) { s.gap("jobs.batch") }}, says: []string{"evidence about jobs.batch may be missing from the start"},
		},

		{name: "same UID", want: passed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", SameUID: "v1"}},
		{
			name: "made again", edits: edits{"instead of back": remake}, want: failed, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", SameUID: "v1"},
			says: []string{`ConfigMap/settings is not the object of step "v1": it was deleted and made again, since step "back"`},
		},
		{
			name: "not there before", edits: edits{"v1": func(s *story) { s.remove("ConfigMap/settings") }}, want: inconclusive,
			spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", SameUID: "v1"}, says: []string{`ConfigMap/settings does not exist at the end of step "v1"`},
		},
		{
			name: "no UID", want: inconclusive, spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", SameUID: "v1"},
			edits: edits{"v1": func(s *story) {
				s.edit("ConfigMap/settings", func(o map[string]any) { delete(o["metadata"].(map[string]any), "uid") })
			}},
			says: []string{"the snapshots do not hold the UID of ConfigMap/settings"},
		},
		{
			name: "UID of a step without snapshot", edits: edits{"v1": func(s *story) { s.noSnapshot = true }}, want: inconclusive,
			spec: &v1alpha1.ObjectMatch{Object: "ConfigMap/settings", SameUID: "v1"}, says: []string{`there is no snapshot of step "v1"`},
		},
	})
}
