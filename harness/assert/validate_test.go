package assert_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	for _, tc := range []struct {
		name, kind string
		spec       any
		// want are the problems, as path: message.
		want []string
	}{
		{"ownership", "ownership", &v1alpha1.Ownership{Field: ".spec", Managers: managers("helm")}, nil},
		{"ownership of nothing", "ownership", &v1alpha1.Ownership{}, []string{": states nothing: add managers, forbidden or sameAs"}},
		{
			"allowances", "ownership", &v1alpha1.Ownership{Managers: managers("helm"), Allow: []v1alpha1.Allowance{{}, {Field: "x"}}}, []string{
				"allow: has an effect with sameAs only",
				"allow[0]: would allow everything: state object, field or manager",
				`allow[1].field: not a field path: "x": at character 1: a field begins with . or [`,
			},
		},
		{
			"field", "ownership", &v1alpha1.Ownership{SameAs: "v1", Field: ".a["},
			[]string{`field: not a field path: ".a[": at character 4: "" is no index, key=value, =value or "field"`},
		},
		{
			"the same as itself", "ownership", &v1alpha1.Ownership{At: "v1", SameAs: "v1"},
			[]string{"sameAs: is the step that is judged, and every step is the same as itself; name another one"},
		},
		{"the same as another step", "ownership", &v1alpha1.Ownership{At: "v2", SameAs: "v1"}, nil},
		{"order", "readinessOrder", &v1alpha1.ReadinessOrder{From: "dependsOn"}, nil},
		{"no order", "readinessOrder", &v1alpha1.ReadinessOrder{}, []string{": states no order: add chain, before or from"}},
		{"chain of one", "readinessOrder", &v1alpha1.ReadinessOrder{Chain: []string{db}}, []string{"chain: one object has no order: name at least two"}},
		{
			"chain", "readinessOrder", &v1alpha1.ReadinessOrder{Chain: []string{db, backend, db, "x"}, Before: []v1alpha1.Before{{First: db, Then: db}}}, []string{
				"chain[2]: StatefulSet/db is in the chain twice",
				`chain[3]: "x": not a reference of the form Kind[.group]/[namespace/]name: it has 1 parts separated by /, not 2 or 3`,
				"before[0]: StatefulSet/db cannot come before itself",
			},
		},
		{"ledger", "ledger", &v1alpha1.Ledger{Deployed: number(0), Statuses: map[int]string{1: "deployed"}, Reachable: []int{1}}, nil},
		{
			"ledger of nonsense", "ledger", &v1alpha1.Ledger{Deployed: number(-1), Statuses: map[int]string{0: "deployed", 2: "depolyed"}, Descriptions: map[int]string{-1: "x", 2: ""}, Reachable: []int{0}}, []string{
				"deployed: must be a revision, or 0 for none",
				"statuses[0]: revisions count from 1",
				`statuses[2]: "depolyed" is no status of Helm (did you mean "deployed"?)`,
				"descriptions[-1]: revisions count from 1",
				"descriptions[2]: any description contains an empty text; state some",
				"reachable[0]: revisions count from 1",
			},
		},
		{"live", "live", &v1alpha1.Live{Ignore: []v1alpha1.Allowance{{Manager: "hpa"}}, AllowExtra: []string{db}}, nil},
		{
			"live nonsense", "live", &v1alpha1.Live{Revision: -1, Ignore: []v1alpha1.Allowance{{}}, AllowExtra: []string{"db"}}, []string{
				"ignore[0]: would allow everything: state object, field or manager",
				"revision: must be a revision, or 0 for the newest",
				`allowExtra[0]: "db": not a reference of the form Kind[.group]/[namespace/]name: it has 1 parts separated by /, not 2 or 3`,
			},
		},
		{"recoveryTime", "recoveryTime", &v1alpha1.RecoveryTime{Of: "back", Max: metav1.Duration{Duration: time.Second}}, nil},
		{"no time", "recoveryTime", &v1alpha1.RecoveryTime{Of: "back"}, []string{"max: must be longer than 0"}},
		{"object", "object", &v1alpha1.ObjectMatch{Object: db, Absent: true}, nil},
		{
			"absent with fields", "object", &v1alpha1.ObjectMatch{Object: db, Absent: true, SameUID: "v1"},
			[]string{"absent: an object that must not exist has neither fields nor a UID: remove match and sameUID"},
		},
		{
			"object compared with itself", "object", &v1alpha1.ObjectMatch{Object: "Deployment/backend", At: "back", SameUID: "back"},
			[]string{"sameUID: is the step that is judged; name another one"},
		},
		{"events", "events", &v1alpha1.Events{Max: number(0)}, nil},
		{"min above max", "events", &v1alpha1.Events{Min: number(2), Max: number(1)}, []string{"max: is below min, which is 2"}},
		{"negative min", "events", &v1alpha1.Events{Min: number(-1)}, []string{": min and max must not be negative"}},
		{"negative max", "events", &v1alpha1.Events{Max: number(-1)}, []string{": min and max must not be negative"}},
	} {
		entry, err := assert.Registry().Lookup(tc.kind)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range entry.Validate(tc.spec) {
			got = append(got, p.Path+": "+p.Message)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}
