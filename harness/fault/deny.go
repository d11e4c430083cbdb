package fault

import (
	"cmp"
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

func denyAdmissionEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "denyAdmission",
		Summary:  "Denies requests in the scenario's namespace by a ValidatingAdmissionPolicy.",
		Example:  "name: denied\ndenyAdmission: {operations: [UPDATE], resources: [deployments], expression: object.metadata.name == 'frontend'}\n",
		NewSpec:  func() any { return &v1alpha1.DenyAdmission{} },
		Validate: validated(func(s *v1alpha1.DenyAdmission) []registry.Problem { return checkAdmissionMatch(s.AdmissionMatch, "") }),
		Code:     code(func(s *v1alpha1.DenyAdmission) breaker { return &denial{spec: s} }),
	}
}

// denial is an admission policy that denies.
type denial struct {
	spec    *v1alpha1.DenyAdmission
	denials tally
	stop    func()
}

func (*denial) available(context.Context, Site) error { return nil }

func (*denial) aim(_ context.Context, s Site) (Aim, error) {
	return aimAtNamespace(s, uniqueName(s, "denial")), nil
}

func (d *denial) inject(ctx context.Context, s *scene) error {
	name := s.Undo[undoName]
	d.denials.of = func(m sample) bool {
		return m.name == "apiserver_validating_admission_policy_check_total" && m.labels["policy"] == name && m.labels["enforcement_action"] == "deny"
	}
	if err := d.denials.begin(ctx, s.Site); err != nil {
		return err
	}
	d.stop = d.denials.hear(s, deniedBy(s))
	admission, options := s.Client.AdmissionregistrationV1(), metav1.CreateOptions{FieldManager: userAgent}
	if _, err := admission.ValidatingAdmissionPolicies().Create(ctx, d.policy(name), options); err != nil {
		return fmt.Errorf("making the policy that denies: %w", err)
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: onlyHere(s.Site)},
		},
	}
	if _, err := admission.ValidatingAdmissionPolicyBindings().Create(ctx, binding, options); err != nil {
		return fmt.Errorf("binding the policy that denies: %w", err)
	}
	return nil
}

// policy also denies our probes, by a rule and a validation of their own.
func (d *denial) policy(name string) *admissionv1.ValidatingAdmissionPolicy {
	fail, exact, forbidden := admissionv1.Fail, admissionv1.Exact, metav1.StatusReasonForbidden
	return &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{
				MatchPolicy: &exact,
				ResourceRules: []admissionv1.NamedRuleWithOperations{
					{RuleWithOperations: rulesOf(d.spec.AdmissionMatch)},
					{RuleWithOperations: probeRule(), ResourceNames: []string{name}},
				},
			},
			Validations: []admissionv1.Validation{
				{Expression: fmt.Sprintf("!(request.name == '%s' && %s)", name, ours), Message: "it is in effect", Reason: &forbidden},
				{Expression: fmt.Sprintf("%s || request.name == '%s' || !(%s)", ours, name, cmp.Or(d.spec.Expression, "true")), Message: d.spec.Message, Reason: &forbidden},
			},
		},
	}
}

// propagated waits until the policy is in effect. The probes that it denied are no firings.
func (d *denial) propagated(ctx context.Context, s *scene) error {
	return awaitRefusal(ctx, s, true, deniedBy(s), func(error) error { d.denials.pass(); return nil })
}

// deniedBy is in every answer to a request that the policy denied.
func deniedBy(s *scene) string {
	return fmt.Sprintf("ValidatingAdmissionPolicy '%s'", s.Undo[undoName])
}

// count counts what the policy denied to others than Helm, which nobody but the API server sees.
func (d *denial) count(ctx context.Context, s *scene, _ error) error {
	return d.denials.count(ctx, s, "denied a request, as the API server counted by now")
}

func (d *denial) recover(ctx context.Context, s *scene) error {
	if d.stop != nil {
		d.stop()
	}
	admission, name := s.Client.AdmissionregistrationV1(), s.Undo[undoName]
	if err := ignoreNotFound(admission.ValidatingAdmissionPolicyBindings().Delete(ctx, name, metav1.DeleteOptions{})); err != nil {
		return fmt.Errorf("taking policy binding %s away: %w", name, err)
	}
	if err := ignoreNotFound(admission.ValidatingAdmissionPolicies().Delete(ctx, name, metav1.DeleteOptions{})); err != nil {
		return fmt.Errorf("taking policy %s away: %w", name, err)
	}
	return nil
}

// recovered waits until the policy is out of effect.
func (d *denial) recovered(ctx context.Context, s *scene) error {
	return awaitRefusal(ctx, s, false, deniedBy(s), func(error) error { d.denials.pass(); return nil })
}
