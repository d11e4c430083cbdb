package fault

import (
	"slices"
	"strconv"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

func patchOf(name string) evidence.Request {
	return evidence.Request{
		Verb: "patch", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "ns", Name: name, Manager: "helm",
	}
}

func TestMatchFits(t *testing.T) {
	t.Parallel()
	scale, dry, secret := patchOf("web"), patchOf("web"), evidence.Request{Verb: "create", Resource: "secrets", Name: "sh.helm.release.v1.shop.v2"}
	scale.Subresource, dry.DryRun = "scale", true
	for name, test := range map[string]struct {
		match   v1alpha1.Match
		request evidence.Request
		want    bool
	}{
		"anything":         {v1alpha1.Match{}, evidence.Request{Verb: "get", Path: "/version"}, true},
		"all of it":        {v1alpha1.Match{Verb: "patch", Group: "apps", Resource: "deployments", Namespace: "ns", Name: "web", Manager: "helm"}, patchOf("web"), true},
		"verb":             {v1alpha1.Match{Verb: "update"}, patchOf("web"), false},
		"group":            {v1alpha1.Match{Group: "batch"}, patchOf("web"), false},
		"core":             {v1alpha1.Match{Group: "core"}, secret, true},
		"not core":         {v1alpha1.Match{Group: "core"}, patchOf("web"), false},
		"no group at all":  {v1alpha1.Match{Group: "core"}, evidence.Request{Verb: "get", Path: "/version"}, false},
		"resource":         {v1alpha1.Match{Resource: "statefulsets"}, patchOf("web"), false},
		"subresource":      {v1alpha1.Match{Resource: "deployments/scale"}, scale, true},
		"not subresource":  {v1alpha1.Match{Resource: "deployments"}, scale, false},
		"namespace":        {v1alpha1.Match{Namespace: "other"}, patchOf("web"), false},
		"name":             {v1alpha1.Match{Name: "db"}, patchOf("web"), false},
		"start of name":    {v1alpha1.Match{Name: "sh.helm.release.v1.*"}, secret, true},
		"no start of name": {v1alpha1.Match{Name: "sh.helm.release.v1.*"}, patchOf("web"), false},
		"manager":          {v1alpha1.Match{Manager: "kubectl"}, patchOf("web"), false},
		"a write":          {v1alpha1.Match{Verb: "write"}, patchOf("web"), true},
		"a dry run":        {v1alpha1.Match{Verb: "write"}, dry, false},
		"no write":         {v1alpha1.Match{Verb: "write"}, evidence.Request{Verb: "list", Resource: "pods"}, false},
	} {
		if got := newMatcher(test.match, 1, "f").picks(test.request); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMatchNth(t *testing.T) {
	t.Parallel()
	m := newMatcher(v1alpha1.Match{Name: "web", Nth: 2}, 1, "f")
	var got []bool
	for _, name := range []string{"web", "db", "web", "web"} {
		got = append(got, m.picks(patchOf(name)))
	}
	if want := []bool{false, false, true, true}; !slices.Equal(got, want) {
		t.Errorf("picked %v, want %v", got, want)
	}
}

// TestMatchDraws: what is drawn for a request does not depend on the order in which requests about others come, nor on
// the namespace; it does depend on the seed and the fault.
func TestMatchDraws(t *testing.T) {
	t.Parallel()
	drawn := func(seed int64, name string, reversed bool) []string {
		m := newMatcher(v1alpha1.Match{Probability: 40}, seed, name)
		names := make([]string, 50)
		for i := range names {
			names[i] = "web-" + strconv.Itoa(i%25)
		}
		if reversed {
			slices.Reverse(names)
		}
		var all []string
		for _, name := range names {
			r := patchOf(name)
			r.Namespace = "ns-" + strconv.FormatBool(reversed)
			if m.picks(r) {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		return all
	}
	want := drawn(7, "f", false)
	if len(want) < 10 || len(want) > 30 {
		t.Errorf("%d of 50 were drawn at 40 percent", len(want))
	}
	if got := drawn(7, "f", true); !slices.Equal(got, want) {
		t.Errorf("the other way round %v are drawn, not %v", got, want)
	}
	if slices.Equal(drawn(8, "f", false), want) || slices.Equal(drawn(7, "g", false), want) {
		t.Error("the seed or the fault makes no difference")
	}
}
