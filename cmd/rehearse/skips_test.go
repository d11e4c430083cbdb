package main

import (
	"errors"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/verdict"
)

// TestRefuseSkips: --no-skips bears what a scenario says of a provider, and nothing else.
func TestRefuseSkips(t *testing.T) {
	t.Parallel()
	declared := plan.Plan{Needs: plan.Needs{Provider: "kind"}}
	declared.Scenario.Spec.Cluster = v1alpha1.Cluster{NotOn: map[string]string{"kind": "a reason"}}
	skipped := verdict.Variant{Scenario: "s", Status: verdict.Skipped, Reason: "no address"}
	for name, test := range map[string]struct {
		plan    plan.Plan
		variant verdict.Variant
		refused bool
	}{
		"passed":          {plan.Plan{}, verdict.Variant{Status: verdict.Passed}, false},
		"skipped as said": {declared, skipped, false},
		"skipped":         {plan.Plan{}, skipped, true},
	} {
		err := refuseSkips(verdict.Run{Variants: []verdict.Variant{test.variant}}, []plan.Plan{test.plan})
		var exit *exitError
		if (err != nil) != test.refused || err != nil && (!errors.As(err, &exit) || exit.code != verdict.ExitInconclusive || !strings.Contains(err.Error(), "s: no address")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
