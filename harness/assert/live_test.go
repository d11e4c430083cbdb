package assert_test

import (
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// drift changes the backend's spec by hand, as kubectl edit does, and owns some fields of it.
func drift(change func(spec map[string]any), owned map[string]any) func(*story) {
	return func(s *story) {
		s.edit(backend, func(o map[string]any) {
			change(o["spec"].(map[string]any))
			if owned != nil {
				own(o, entry("kubectl-edit", "Update", "", map[string]any{"f:spec": owned}))
			}
		})
	}
}

func container(spec map[string]any) map[string]any {
	return spec["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
}

// inApp is fieldsV1 of fields of the container app.
func inApp(fields map[string]any) map[string]any {
	return map[string]any{"f:template": map[string]any{"f:spec": map[string]any{"f:containers": map[string]any{`k:{"name":"app"}`: fields}}}}
}

func TestLive(t *testing.T) {
	t.Parallel()
	back := func(f func(*story)) edits { return edits{"back": f} }
	image := back(drift(func(spec map[string]any) { container(spec)["image"] = "app:hand" }, inApp(map[string]any{"f:image": map[string]any{}})))
	extra := func(kind, name string, more func(o map[string]any)) func(*story) {
		return func(s *story) {
			o := parse(`{apiVersion: v1, kind: ` + kind + `, metadata: {name: ` + name + `, namespace: ns, annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: ns}}}`)
			if more != nil {
				more(o)
			}
			s.put(o)
		}
	}
	judgeAll(t, "live", []judgement{
		{name: "as in the manifest", want: passed, spec: &v1alpha1.Live{}},
		{name: "strictly", want: passed, spec: &v1alpha1.Live{Strict: true}},
		{
			name: "another value", edits: image, want: failed, spec: &v1alpha1.Live{},
			says: []string{
				`Deployment/backend .spec.template.spec.containers[name=app].image: expected "app:v1" (revision 3), seen "app:hand", since step "back"`,
				"by kubectl-edit (Update)",
			},
		},
		{name: "ignored field", edits: image, want: passed, spec: &v1alpha1.Live{Ignore: []v1alpha1.Allowance{{Field: ".spec.template"}}}},
		{name: "ignored manager", edits: image, want: passed, spec: &v1alpha1.Live{Ignore: []v1alpha1.Allowance{{Object: backend, Manager: "kubectl-edit"}}}},
		{name: "another manager is ignored", edits: image, want: failed, spec: &v1alpha1.Live{Ignore: []v1alpha1.Allowance{{Manager: "hpa"}}}},
		{name: "another object is ignored", edits: image, want: failed, spec: &v1alpha1.Live{Ignore: []v1alpha1.Allowance{{Object: frontend}}}},
		{
			name: "an older revision", want: failed, spec: &v1alpha1.Live{Revision: 2},
			says: []string{`ConfigMap/settings .data.tag: expected "v2" (revision 2), seen "v1"`},
		},
		{name: "a field is gone", edits: back(drift(func(spec map[string]any) { delete(container(spec), "args") }, nil)), want: failed, spec: &v1alpha1.Live{}, says: []string{"seen nothing"}},
		{
			name: "a Secret's value", edits: back(func(s *story) {
				s.edit("Secret/creds", func(o map[string]any) { o["data"] = map[string]any{"password": "other password"} })
			}), want: failed, spec: &v1alpha1.Live{}, says: []string{`Secret/creds .data.password: expected "redacted:sha256:`, `seen "redacted:sha256:`},
		},
		{
			name: "an object is missing", edits: back(func(s *story) { s.remove("ConfigMap/settings") }), want: failed, spec: &v1alpha1.Live{},
			says: []string{`ConfigMap/settings is in the manifest of revision 3 but does not exist, since step "back"`},
		},
		{
			name: "missing but unwatched", want: inconclusive, spec: &v1alpha1.Live{},
			edits: edits{"before v1": func(s *story) { s.gap("configmaps") }, "back": func(s *story) { s.remove("ConfigMap/settings") }},
			says:  []string{"evidence about configmaps may be missing"},
		},
		{
			name: "what another revision left could not be seen", want: inconclusive, spec: &v1alpha1.Live{Strict: true},
			edits: edits{"before v1": func(s *story) { s.gap("widgets.example.com") }, "v2": names("deployed", widget)},
			says:  []string{"evidence about widgets.example.com may be missing from the start"},
		},
		{
			name: "what a revision left that was pruned could not be seen", want: inconclusive, spec: &v1alpha1.Live{},
			edits: edits{
				"before v1": func(s *story) { s.gap("widgets.example.com") }, "v1": names("deployed", widget),
				"v2": func(s *story) { s.ledger.Revisions = s.ledger.Revisions[1:] },
			},
			says: []string{"evidence about widgets.example.com may be missing from the start"},
		},
		{
			name: "what a later revision leaves is no matter yet", want: passed, spec: &v1alpha1.Live{At: "v1"},
			edits: edits{"before v1": func(s *story) { s.gap("widgets.example.com") }, "v2": names("deployed", widget)},
		},
		{
			name: "a kind that no revision names could not be watched", want: passed, spec: &v1alpha1.Live{Strict: true},
			edits: edits{"before v1": func(s *story) { s.gap("widgets.example.com") }},
		},
		{
			name: "an object too many", edits: back(extra("ConfigMap", "orphan", nil)), want: failed, spec: &v1alpha1.Live{},
			says: []string{`ConfigMap/orphan carries the annotations of release shop but is not in the manifest of revision 3, since step "back"`},
		},
		{name: "allowed extra", edits: back(extra("ConfigMap", "orphan", nil)), want: passed, spec: &v1alpha1.Live{AllowExtra: []string{"ConfigMap/orphan"}}},
		{
			name: "kept", want: failed, spec: &v1alpha1.Live{},
			edits: back(extra("ConfigMap", "orphan", func(o map[string]any) {
				o["metadata"].(map[string]any)["annotations"].(map[string]any)["helm.sh/resource-policy"] = "keep"
			})), says: []string{"(its resource policy is keep)"},
		},
		{
			name: "of another release", want: passed, spec: &v1alpha1.Live{},
			edits: back(extra("ConfigMap", "orphan", func(o map[string]any) {
				o["metadata"].(map[string]any)["annotations"].(map[string]any)["meta.helm.sh/release-name"] = "other"
			})),
		},
		{
			name: "a ReplicaSet inherits the annotations", want: passed, spec: &v1alpha1.Live{},
			edits: back(extra("ReplicaSet", "backend-1", func(o map[string]any) {
				o["metadata"].(map[string]any)["ownerReferences"] = []any{map[string]any{"kind": "Deployment", "controller": true}}
			})),
		},
		{
			name: "a hook", want: passed, spec: &v1alpha1.Live{},
			edits: back(extra("Job", "migrate", func(o map[string]any) { o["apiVersion"] = "batch/v1" })),
		},
		{
			name: "another version", want: inconclusive, spec: &v1alpha1.Live{},
			edits: back(func(s *story) {
				s.newest().Manifest = chart("v1", 0)
				s.newest().Manifest[3]["apiVersion"] = "apps/v1beta1"
			}), says: []string{"Deployment/backend is v1beta1 in the manifest but was watched as v1"},
		},
		{
			name: "another namespace", want: inconclusive, spec: &v1alpha1.Live{},
			edits: manifestWith(`{apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: kube-system}}`),
			says:  []string{"ConfigMap/far is in namespace kube-system, which is not watched"},
		},
		{
			name: "another namespace, watched", want: failed, spec: &v1alpha1.Live{},
			edits: manifestWith(`{apiVersion: v1, kind: ConfigMap, metadata: {name: watched, namespace: kube-system}}`),
			says:  []string{"ConfigMap/watched is in the manifest of revision 3 but does not exist, nor was it ever seen"},
		},
		{
			name: "generated name", want: inconclusive, spec: &v1alpha1.Live{},
			edits: manifestWith(`{apiVersion: batch/v1, kind: Job, metadata: {generateName: x-}}`), says: []string{"kind Job has no name of its own"},
		},
		{
			name: "an Event", want: inconclusive, spec: &v1alpha1.Live{},
			edits: manifestWith(`{apiVersion: events.k8s.io/v1, kind: Event, metadata: {name: x}}`), says: []string{"Event/x is an Event, which the evidence does not hold"},
		},
		{name: "no such revision", want: inconclusive, spec: &v1alpha1.Live{Revision: 9}, says: []string{"revision 9 is not in storage", "which holds 1 superseded, 2 superseded, 3 deployed"}},
		{
			name: "no release", edits: back(func(s *story) { s.ledger.Revisions = nil }), want: inconclusive, spec: &v1alpha1.Live{},
			says: []string{"Helm's storage holds no revision"},
		},
		{
			name: "empty manifest", edits: back(func(s *story) { s.newest().Manifest = nil }), want: inconclusive,
			spec: &v1alpha1.Live{AllowExtra: []string{backend, frontend, db, "ConfigMap/settings", "Secret/creds"}},
			says: []string{"the manifest of revision 3 is empty"},
		},
	})
}

func manifestWith(object string) edits {
	return edits{"back": func(s *story) { s.newest().Manifest = append(chart("v1", 0), parse(object)) }}
}

func TestLiveStrict(t *testing.T) {
	t.Parallel()
	item := map[string]any{".": map[string]any{}, "f:name": map[string]any{}}
	sidecar := edits{"back": drift(func(spec map[string]any) {
		pod := spec["template"].(map[string]any)["spec"].(map[string]any)
		pod["containers"] = append(pod["containers"].([]any), map[string]any{"name": "sidecar", "image": "x"})
	}, map[string]any{"f:template": map[string]any{"f:spec": map[string]any{"f:containers": map[string]any{`k:{"name":"sidecar"}`: item}}}})}
	env := edits{"back": drift(func(spec map[string]any) {
		container(spec)["env"] = append(container(spec)["env"].([]any), map[string]any{"name": "DEBUG", "value": "1"})
	}, inApp(map[string]any{"f:env": map[string]any{`k:{"name":"DEBUG"}`: item}}))}
	mounts := func(owned map[string]any) edits {
		return edits{"back": drift(func(spec map[string]any) {
			container(spec)["volumeMounts"] = []any{map[string]any{"name": "tmp", "mountPath": "/tmp"}}
		}, owned)}
	}
	judgeAll(t, "live", []judgement{
		{name: "sidecar, not strict", edits: sidecar, want: passed, spec: &v1alpha1.Live{}},
		{
			name: "sidecar", edits: sidecar, want: failed, spec: &v1alpha1.Live{Strict: true},
			says: []string{`.spec.template.spec.containers[name=sidecar]: revision 3 lacks it, seen {"image":"x","name":"sidecar"}`, "by kubectl-edit (Update)"},
		},
		{name: "env", edits: env, want: failed, spec: &v1alpha1.Live{Strict: true}, says: []string{"env[name=DEBUG]: revision 3 lacks it"}},
		{name: "env, ignored", edits: env, want: passed, spec: &v1alpha1.Live{Strict: true, Ignore: []v1alpha1.Allowance{{Manager: "kubectl-edit"}}}},
		{
			name: "a list that the manifest has not", want: failed, spec: &v1alpha1.Live{Strict: true},
			edits: mounts(inApp(map[string]any{"f:volumeMounts": map[string]any{`k:{"mountPath":"/tmp"}`: item}})),
			says:  []string{"volumeMounts[mountPath=/tmp]: revision 3 lacks it"},
		},
		{
			name: "an atomic one", want: failed, spec: &v1alpha1.Live{Strict: true},
			edits: mounts(inApp(map[string]any{"f:volumeMounts": map[string]any{}})), says: []string{"volumeMounts: revision 3 lacks it"},
		},
		{name: "one that nobody owns is a default", edits: mounts(nil), want: passed, spec: &v1alpha1.Live{Strict: true}},
	})
}

// TestLiveComparison compares one field of a manifest with a live one, whatever the object.
func TestLiveComparison(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// manifest and live are specs; fields is fieldsV1 of the live spec.
		manifest, live, fields string
		strict                 bool
		says                   string
	}{
		{name: "whole and broken numbers", manifest: `{num: 1.0}`, live: `{num: 1}`},
		{name: "numbers differ", manifest: `{num: 1}`, live: `{num: 2}`, says: ".spec.num: expected 1"},
		{name: "a number is no text", manifest: `{num: 1}`, live: `{num: "1"}`, says: `seen "1"`},
		{name: "quantities", manifest: `{limits: {cpu: 1000m, memory: 1024Mi}}`, live: `{limits: {cpu: "1", memory: 1Gi}}`},
		{name: "a quantity as a number", manifest: `{requests: {cpu: 1}}`, live: `{requests: {cpu: "1"}}`},
		{name: "quantities differ", manifest: `{limits: {cpu: 1000m}}`, live: `{limits: {cpu: "2"}}`, says: `limits.cpu: expected "1000m" (revision 1), seen "2"`},
		{name: "sizeLimit", manifest: `{emptyDir: {sizeLimit: 1024Mi}}`, live: `{emptyDir: {sizeLimit: 1Gi}}`},
		{name: "no quantity", manifest: `{version: "1.0"}`, live: `{version: "1"}`, says: `expected "1.0"`},
		{name: "not even a number", manifest: `{limits: {cpu: x}}`, live: `{limits: {cpu: z}}`, says: `expected "x"`},
		{name: "defaults are added", manifest: `{a: {b: 1}}`, live: `{a: {b: 1, c: 2}, d: 3}`},
		{name: "empty fields are dropped", manifest: `{a: {}, b: [], c: "", d: false, e: 0, f: null, g: {h: {}}}`, live: `{}`},
		{name: "null states nothing", manifest: `{a: null}`, live: `{a: 1}`},
		{name: "false is not true", manifest: `{a: false}`, live: `{a: true}`, says: "expected false"},
		{name: "a map is no list", manifest: `{a: {b: 1}}`, live: `{a: [1]}`, says: ".spec.a: expected"},
		{name: "a list is no map", manifest: `{a: [1]}`, live: `{a: {b: 1}}`, says: ".spec.a: expected"},
		{name: "container ports by key", manifest: `{ports: [{containerPort: 80}, {containerPort: 81}]}`, live: `{ports: [{containerPort: 81, protocol: TCP}, {containerPort: 80, protocol: TCP}]}`},
		{
			name: "UDP is another port", manifest: `{ports: [{containerPort: 80, protocol: UDP}]}`, live: `{ports: [{containerPort: 80, protocol: TCP}]}`,
			says: "ports[containerPort=80,protocol=UDP]: expected",
		},
		{
			name: "keys from managedFields", manifest: `{items: [{id: a, v: 1}]}`, live: `{items: [{id: b, v: 2}, {id: a, v: 1}]}`,
			fields: `{"f:items": {"k:{\"id\":\"a\"}": {".": {}, "f:v": {}}}}`,
		},
		{name: "the same list without managedFields", manifest: `{items: [{id: a, v: 1}]}`, live: `{items: [{id: b, v: 2}, {id: a, v: 1}]}`, says: ".spec.items: expected"},
		{
			name: "a name is no key of an atomic list", manifest: `{items: [{name: a}]}`, live: `{items: [{name: a}, {name: b}]}`, fields: `{"f:items": {}}`,
			says: ".spec.items: expected",
		},
		{name: "hostAliases by ip", manifest: `{hostAliases: [{ip: 1.2.3.4, hostnames: [a]}]}`, live: `{hostAliases: [{ip: 5.6.7.8}, {ip: 1.2.3.4, hostnames: [a]}]}`},
		{name: "a set", manifest: `{set: [a]}`, live: `{set: [b, a]}`, fields: `{"f:set": {"v:\"a\"": {}}}`},
		{name: "a set lacks an item", manifest: `{set: [a]}`, live: `{set: [b]}`, fields: `{"f:set": {"v:\"b\"": {}}}`, says: `.spec.set[=a]: expected "a"`},
		{name: "a set, strictly", manifest: `{set: [a]}`, live: `{set: [b, a]}`, fields: `{"f:set": {"v:\"a\"": {}}}`, strict: true, says: ".spec.set[=b]: revision 1 lacks it"},
		{name: "an entry twice", manifest: `{env: [{name: A, value: x}, {name: A, value: w}]}`, live: `{env: [{name: A, value: x}, {name: A, value: z}]}`, says: `expected "w"`, fields: `{"f:env": {"k:{\"name\":\"A\"}": {}}}`},
		{name: "list of another order", manifest: `{args: [a, b]}`, live: `{args: [b, a]}`, says: ".spec.args[0]: expected"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, []string{"v1"})
			s.step("v1", "install", func(s *story) {
				s.revise(1, []map[string]any{parse(`{apiVersion: example.com/v1, kind: Thing, metadata: {name: x}, spec: ` + tc.manifest + `}`)})
				live := parse(`{apiVersion: example.com/v1, kind: Thing, metadata: {name: x, namespace: ns, managedFields: []}, spec: ` + tc.live + `}`)
				if tc.fields != "" {
					own(live, entry("helm", "Apply", "", map[string]any{"f:spec": parse(tc.fields)}))
				}
				s.put(live)
			})
			want := passed
			if tc.says != "" {
				want = failed
			}
			got := judgeOne(t, s.load(), "live", &v1alpha1.Live{Strict: tc.strict})
			if got.Status != want || !strings.Contains(got.Message, tc.says) {
				t.Errorf("%s: %s", got.Status, got.Message)
			}
		})
	}
}
