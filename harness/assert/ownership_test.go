package assert_test

import (
	"slices"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

func managers(names ...string) []v1alpha1.Manager {
	out := make([]v1alpha1.Manager, len(names))
	for i, name := range names {
		out[i].Name = name
	}
	return out
}

// takeReplicas lets Helm force its replicas upon the autoscaler.
func takeReplicas(s *story) {
	s.edit("Deployment/backend", func(o map[string]any) {
		disown(o, "hpa", "replicas")
		o["spec"].(map[string]any)["replicas"] = int64(2)
		own(o, entry("helm", "Update", "", map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}))
	})
}

func TestOwnership(t *testing.T) {
	t.Parallel()
	hpa := v1alpha1.Manager{Name: "hpa", Operation: "Update", Subresource: "scale"}
	replicas := v1alpha1.Ownership{Object: "Deployment/backend", Field: ".spec.replicas"}
	const image = ".spec.template.spec.containers[name=app].image"
	addEnv := func(s *story) {
		s.edit("Deployment/backend", func(o map[string]any) {
			env := map[string]any{`k:{"name":"DEBUG"}`: map[string]any{".": map[string]any{}, "f:name": map[string]any{}, "f:value": map[string]any{}}}
			own(o, entry("kubectl-edit", "Update", "", map[string]any{"f:spec": map[string]any{"f:template": map[string]any{"f:spec": map[string]any{
				"f:containers": map[string]any{`k:{"name":"app"}`: map[string]any{"f:env": env}},
			}}}}))
		})
	}
	with := func(o v1alpha1.Ownership, change func(*v1alpha1.Ownership)) *v1alpha1.Ownership {
		change(&o)
		return &o
	}
	judgeAll(t, "ownership", []judgement{
		{
			name: "exact managers", want: passed,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = []v1alpha1.Manager{hpa} }),
		},
		{
			name: "another manager took it", edits: edits{"back": takeReplicas}, want: failed,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = []v1alpha1.Manager{hpa} }),
			says: []string{`Deployment/backend .spec.replicas: expected hpa (Update, scale), seen helm (Update), since step "back"`, "by helm (Update)"},
		},
		{
			name: "a second manager", edits: edits{"back": func(s *story) {
				s.edit("Deployment/backend", func(o map[string]any) {
					own(o, entry("hand", "Update", "", map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}))
				})
			}}, want: failed,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = []v1alpha1.Manager{hpa} }),
			says: []string{"seen hand (Update) and hpa (Update, scale)"},
		},
		{
			name: "a stated manager does not own", want: failed,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = append(managers("helm"), hpa) }),
			says: []string{"expected helm and hpa (Update, scale), seen hpa (Update, scale)", `since step "scaled"`},
		},
		{
			name: "no subresource is the main resource", want: failed,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = managers("hpa") }),
			says: []string{"expected hpa, seen hpa (Update, scale)"},
		},
		{
			name: "wrong operation", want: failed,
			spec: &v1alpha1.Ownership{Object: "Deployment/backend", Field: image, Managers: []v1alpha1.Manager{{Name: "helm", Operation: "Update"}}},
			says: []string{"expected helm (Update), seen helm (Apply)", "by helm (Apply)"},
		},
		{
			name: "the whole object", want: passed,
			spec: &v1alpha1.Ownership{Object: "Deployment/backend", Managers: append(managers("helm"), hpa)},
		},
		{
			name: "every object of the release", want: failed, spec: &v1alpha1.Ownership{Managers: managers("helm")},
			says: []string{"Deployment/backend: expected helm, seen helm (Apply) and hpa (Update, scale)"},
		},
		{name: "every object with any manager", want: passed, spec: &v1alpha1.Ownership{Forbidden: managers("kubectl-edit")}},
		{
			name: "forbidden", edits: edits{"back": addEnv}, want: failed, spec: &v1alpha1.Ownership{Forbidden: managers("kubectl-edit")},
			says: []string{"Deployment/backend: kubectl-edit must not own it, but kubectl-edit (Update) does", `since step "back"`},
		},
		{
			name: "forbidden below the field", edits: edits{"back": addEnv}, want: failed,
			spec: &v1alpha1.Ownership{Object: "Deployment/backend", Field: ".spec.template", Forbidden: managers("kubectl-edit")},
		},
		{
			name: "forbidden elsewhere", edits: edits{"back": addEnv}, want: passed,
			spec: &v1alpha1.Ownership{Object: "Deployment/backend", Field: image, Forbidden: managers("kubectl-edit")},
		},
		{
			name: "the field is gone", edits: edits{"back": func(s *story) {
				s.edit("Deployment/backend", func(o map[string]any) {
					delete(o["spec"].(map[string]any), "replicas")
					disown(o, "hpa", "replicas")
				})
			}}, want: failed,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = []v1alpha1.Manager{hpa} }),
			says: []string{"expected hpa (Update, scale), but the field is gone", `since step "back"`},
		},
		{
			name: "forbidden, and the field is gone", edits: edits{"back": func(s *story) {
				s.edit("Deployment/backend", func(o map[string]any) {
					delete(o["spec"].(map[string]any), "replicas")
					disown(o, "hpa", "replicas")
				})
			}}, want: inconclusive,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Forbidden = managers("helm") }),
			says: []string{"Deployment/backend has no field .spec.replicas that a manager could own: it is gone", `since step "back"`},
		},
		{
			name: "the object is gone", edits: edits{"back": func(s *story) { s.remove("Deployment/backend") }}, want: failed,
			spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = []v1alpha1.Manager{hpa} }),
			says: []string{`Deployment/backend does not exist at the end of step "back"`, `since step "back"`},
		},
		{
			name: "no such field", want: inconclusive,
			spec: &v1alpha1.Ownership{Object: "Deployment/backend", Field: ".spec.replica", Managers: managers("helm")},
			says: []string{"Deployment/backend has no field .spec.replica, nor had it at any step"},
		},
		{
			name: "no such object", want: inconclusive,
			spec: &v1alpha1.Ownership{Object: "Deployment/bakcend", Managers: managers("helm")},
			says: []string{"Deployment/bakcend matches nothing"},
		},
		{
			name: "no release", edits: edits{"instead of v1": nothing, "instead of scaled": nothing, "instead of v2": nothing, "instead of back": nothing},
			want: inconclusive, spec: &v1alpha1.Ownership{Managers: managers("helm")},
			says: []string{"the release has no objects"},
		},
		{
			name: "unwatched kind", edits: edits{"before v1": func(s *story) { s.gap("deployments.apps") }, "back": func(s *story) { s.remove("Deployment/backend") }},
			want: inconclusive, spec: with(replicas, func(o *v1alpha1.Ownership) { o.Managers = managers("hpa") }),
			says: []string{"evidence about deployments.apps may be missing from the start"},
		},
		{
			name: "broken managedFields", edits: edits{"back": func(s *story) {
				s.edit("Deployment/backend", func(o map[string]any) {
					own(o, entry("x", "Update", "", map[string]any{"k:{broken": map[string]any{}}))
				})
			}}, want: inconclusive, spec: &v1alpha1.Ownership{Object: "Deployment/backend", Managers: managers("helm")},
			says: []string{"managedFields[2] of Deployment/backend"},
		},
	})
}

// names doctors the newest revision: its status, and an object that its manifest names besides.
func names(status, object string) func(*story) {
	return func(s *story) {
		s.newest().Status = status
		s.newest().Manifest = append(slices.Clone(s.newest().Manifest), parse(object))
	}
}

const (
	never  = `{apiVersion: v1, kind: ConfigMap, metadata: {name: never}}`
	widget = `{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}`
)

func loseSettings(s *story) { s.remove("ConfigMap/settings") }

func fails(s *story) { s.newest().Status = "failed" }

// all does several things to a step.
func all(acts ...func(*story)) func(*story) {
	return func(s *story) {
		for _, act := range acts {
			act(s)
		}
	}
}

// TestOwnershipOfWhatIsNotThere: an object of the manifest that is not there is passed over by no assertion on all of them,
// unless the release was uninstalled or the revision failed before it made the object.
func TestOwnershipOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	clean := &v1alpha1.Ownership{Forbidden: managers("kubectl-edit")}
	same := &v1alpha1.Ownership{SameAs: "v2", Allow: []v1alpha1.Allowance{{Object: backend}}}
	const gone = `ConfigMap/settings is in the manifest of revision 3 but does not exist at the end of step `
	judgeAll(t, "ownership", []judgement{
		{
			name: "gone", edits: edits{"back": loseSettings}, want: inconclusive, spec: clean,
			says: []string{gone + `"back", since step "back"`},
		},
		{
			name: "gone while another contradicts", edits: edits{"back": all(loseSettings, takeReplicas)}, want: failed,
			spec: &v1alpha1.Ownership{Field: ".spec.replicas", Managers: managers("nobody")}, says: []string{"Deployment/backend .spec.replicas: expected nobody"},
		},
		{
			name: "never made though deployed", edits: edits{"back": names("deployed", never)}, want: inconclusive, spec: clean,
			says: []string{`ConfigMap/never is in the manifest of revision 3 but does not exist at the end of step "back", nor was it ever seen`},
		},
		{name: "never made by a revision that failed", edits: edits{"back": names("failed", never)}, want: passed, spec: clean},
		{name: "gone before a revision that failed", edits: edits{"before back": loseSettings, "instead of back": func(s *story) { s.revise(3, chart("v1", 0)); fails(s) }}, want: passed, spec: clean},
		{name: "gone within a revision that failed", edits: edits{"back": all(loseSettings, fails)}, want: inconclusive, spec: clean, says: []string{gone}},
		{
			name: "gone after a revision that failed", edits: edits{"instead of back": loseSettings, "v2": fails}, want: inconclusive, spec: clean,
			says: []string{`ConfigMap/settings is in the manifest of revision 2`},
		},
		{
			name: "not made by a revision that failed, or not watched", want: inconclusive, spec: clean,
			edits: edits{"before v1": func(s *story) { s.gap("widgets.example.com") }, "back": names("failed", widget)},
			says:  []string{"evidence about widgets.example.com may be missing"},
		},
		{name: "uninstalled, but for what is kept", edits: edits{"back": all(loseSettings, func(s *story) { s.newest().Status = "uninstalled" })}, want: passed, spec: clean},
		{
			name: "in a namespace that is not watched", edits: edits{"back": names("deployed", `{apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: kube-system}}`)},
			want: inconclusive, spec: clean, says: []string{"ConfigMap/far is in namespace kube-system, which is not watched"},
		},
		{name: "the same, all of it there", want: passed, spec: same},
		{
			name: "the same, and missing from both steps", edits: edits{"v2": loseSettings, "back": loseSettings}, want: inconclusive, spec: same,
			says: []string{gone + `"v2" or "back", since step "back"`},
		},
		{
			name: "the same, missing from both while another differs", edits: edits{"v2": loseSettings, "back": all(loseSettings, takeReplicas)}, want: failed,
			spec: &v1alpha1.Ownership{SameAs: "v2"}, says: []string{"Deployment/backend .spec.replicas lost hpa"},
		},
		{name: "the same, never made by the revision that failed", edits: edits{"back": names("failed", never)}, want: passed, spec: same},
		{
			name: "the same, never made by either revision", edits: edits{"v2": names("deployed", never), "back": names("failed", never)}, want: inconclusive, spec: same,
			says: []string{`ConfigMap/never is in the manifest of revision 2 but does not exist at the end of step "v2" or "back"`},
		},
		{
			name: "the same, gone though the older manifest did not name it", want: failed, spec: same,
			edits: edits{"v2": func(s *story) {
				s.newest().Manifest = slices.DeleteFunc(slices.Clone(s.newest().Manifest), func(o map[string]any) bool { return o["kind"] == "ConfigMap" })
			}, "back": loseSettings},
			says: []string{`ConfigMap/settings: it was there at the end of step "v2" and is gone, since step "back"`},
		},
	})
}

func nothing(*story) {}

func TestOwnershipSameAs(t *testing.T) {
	t.Parallel()
	judgeAll(t, "ownership", []judgement{
		{name: "unchanged", want: passed, spec: &v1alpha1.Ownership{SameAs: "scaled"}},
		{
			name: "the autoscaler took replicas", want: failed, spec: &v1alpha1.Ownership{SameAs: "v1"},
			says: []string{`Deployment/backend .spec.replicas lost helm (Apply), gained hpa (Update, scale), compared with step "v1", since step "scaled"`, "by hpa"},
		},
		{
			name: "allowed", want: passed,
			spec: &v1alpha1.Ownership{SameAs: "v1", Allow: []v1alpha1.Allowance{{Object: "Deployment/backend", Field: ".spec.replicas"}}},
		},
		{
			name: "allowed for one manager only", want: failed,
			spec: &v1alpha1.Ownership{SameAs: "v1", Allow: []v1alpha1.Allowance{{Manager: "hpa"}}},
			says: []string{"Deployment/backend .spec.replicas lost helm (Apply), compared"},
		},
		{
			name: "allowed elsewhere", want: failed,
			spec: &v1alpha1.Ownership{SameAs: "v1", Allow: []v1alpha1.Allowance{{Object: "Deployment/frontend"}, {Field: ".spec.template"}}},
		},
		{
			name: "one object", want: passed, spec: &v1alpha1.Ownership{Object: "Deployment/frontend", SameAs: "v1"},
		},
		{
			name: "another field", want: passed, spec: &v1alpha1.Ownership{Field: ".spec.template", SameAs: "v1"},
		},
		{
			name: "status is not asked about", edits: edits{"back": ownStatus}, want: passed, spec: &v1alpha1.Ownership{SameAs: "scaled"},
		},
		{
			name: "unless it is", edits: edits{"back": ownStatus}, want: failed, spec: &v1alpha1.Ownership{SameAs: "scaled", Field: ".status"},
			says: []string{"Deployment/frontend .status.replicas gained kcm (Update, status)"},
		},
		{
			name: "gone", edits: edits{"back": func(s *story) { s.remove("ConfigMap/settings") }}, want: failed, spec: &v1alpha1.Ownership{SameAs: "v2"},
			says: []string{`ConfigMap/settings: it was there at the end of step "v2" and is gone, since step "back"`},
		},
		{
			name: "new", edits: edits{"v1": func(s *story) { s.remove("ConfigMap/settings") }}, want: failed,
			spec: &v1alpha1.Ownership{Object: "ConfigMap/settings", SameAs: "v1"},
			says: []string{`ConfigMap/settings: it was not there at the end of step "v1", since step "v2"`},
		},
		{
			name: "no such object", want: inconclusive, spec: &v1alpha1.Ownership{Object: "Deployment/x", SameAs: "v1"},
			says: []string{`Deployment/x matches nothing at the end of step "v1" or "back"`},
		},
		{
			name: "no such field", want: inconclusive, spec: &v1alpha1.Ownership{Object: "Deployment/backend", Field: ".spec.replicsa", SameAs: "v1"},
			says: []string{`Deployment/backend has no field .spec.replicsa at the end of step "v1" or "back"`},
		},
		{
			name: "no such field in any object", want: inconclusive, spec: &v1alpha1.Ownership{Field: ".nothing.here", SameAs: "v1"},
			says: []string{`every object of the release has no field .nothing.here`},
		},
		{
			name: "a field that came and is owned by none", want: passed, spec: &v1alpha1.Ownership{Field: ".spec.paused", SameAs: "v2"},
			edits: edits{"back": func(s *story) {
				s.edit("Deployment/backend", func(o map[string]any) { o["spec"].(map[string]any)["paused"] = true })
			}},
		},
		{
			name: "a field that was owned only", want: failed, spec: &v1alpha1.Ownership{Field: ".status", SameAs: "v2"},
			edits: edits{"v2": ownStatus, "back": func(s *story) { s.edit("Deployment/frontend", disownStatus) }},
			says:  []string{"Deployment/frontend .status.replicas lost kcm (Update, status)"},
		},
		{
			name: "gone without ever having had the field", edits: edits{"back": func(s *story) { s.remove("ConfigMap/settings") }},
			want: passed, spec: &v1alpha1.Ownership{Field: ".spec.replicas", SameAs: "v2"},
		},
		{
			name: "broken managedFields", edits: edits{"back": func(s *story) {
				s.edit("Deployment/backend", func(o map[string]any) {
					own(o, entry("x", "Update", "", map[string]any{"k:{broken": map[string]any{}}))
				})
			}}, want: inconclusive, spec: &v1alpha1.Ownership{Object: "Deployment/backend", Field: ".spec.replicsa", SameAs: "v1"},
			says: []string{"of Deployment/backend"},
		},
		{name: "itself", want: inconclusive, spec: &v1alpha1.Ownership{At: "v2", SameAs: "v2"}, says: []string{`step "v2" is compared with itself`}},
		{name: "itself as the last step", want: inconclusive, spec: &v1alpha1.Ownership{SameAs: "back"}, says: []string{`step "back" is compared with itself`}},
		{
			name: "the other step was not reached", edits: edits{"v2": func(s *story) { s.result.Mismatch = "x" }}, want: inconclusive,
			spec: &v1alpha1.Ownership{At: "v2", SameAs: "back"}, says: []string{`step "back" was never reached`},
		},
	})
}

// disownStatus takes away the newest entry, which is that of ownStatus.
func disownStatus(o map[string]any) {
	meta := o["metadata"].(map[string]any)
	entries := meta["managedFields"].([]any)
	meta["managedFields"] = entries[:len(entries)-1]
}

func ownStatus(s *story) {
	s.edit("Deployment/frontend", func(o map[string]any) {
		own(o, entry("kcm", "Update", "status", map[string]any{"f:status": map[string]any{"f:replicas": map[string]any{}}}))
	})
}
