package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/cluster"
)

// servesMutation returns an error that wraps cluster.ErrUnsupported if there are no policies that change objects.
func servesMutation(_ context.Context, s Site) error {
	served, err := s.Client.Discovery().ServerResourcesForGroupVersion(admissionv1.SchemeGroupVersion.String())
	if err != nil {
		return fmt.Errorf("asking what the API server serves: %w", err)
	}
	if !slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Kind == "MutatingAdmissionPolicy" }) {
		return fmt.Errorf("%w: the cluster does not serve MutatingAdmissionPolicy v1 (Kubernetes 1.36 or later is needed)", cluster.ErrUnsupported)
	}
	return nil
}

// mutate makes a policy and its binding of a template, in which placeholders are replaced.
func (s *scene) mutate(ctx context.Context, template string, placeholders ...string) error {
	var policy admissionv1.MutatingAdmissionPolicy
	var binding admissionv1.MutatingAdmissionPolicyBinding
	first, second, _ := strings.Cut(strings.NewReplacer(placeholders...).Replace(template), "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(first), &policy); err != nil {
		return fmt.Errorf("reading the policy's template: %w", err)
	}
	if err := yaml.UnmarshalStrict([]byte(second), &binding); err != nil {
		return fmt.Errorf("reading the binding's template: %w", err)
	}
	admission := s.Client.AdmissionregistrationV1()
	options := metav1.CreateOptions{FieldManager: userAgent}
	if _, err := admission.MutatingAdmissionPolicies().Create(ctx, &policy, options); err != nil {
		return fmt.Errorf("making policy %s: %w", policy.Name, err)
	}
	if _, err := admission.MutatingAdmissionPolicyBindings().Create(ctx, &binding, options); err != nil {
		return fmt.Errorf("binding policy %s: %w", policy.Name, err)
	}
	return nil
}

// awaitMutation waits until the policy of that name is in effect, or no longer is.
func (s *scene) awaitMutation(ctx context.Context, name string, want bool) error {
	err := wait.PollUntilContextCancel(ctx, probeEvery, true, func(ctx context.Context) (bool, error) {
		seen, err := s.probe(ctx, name)
		if !want && apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return true, nil // nothing is made there any more, so that no policy can be in effect
		}
		return err == nil && (seen.Data["inEffect"] == "true") == want, err
	})
	if err != nil {
		return fmt.Errorf("waiting for policy %s (wanted in effect: %t): %w", name, want, err)
	}
	return nil
}

// unmutate takes the policy of that name away, and returns once it is out of effect.
func (s *scene) unmutate(ctx context.Context, name string) error {
	admission := s.Client.AdmissionregistrationV1()
	if err := ignoreNotFound(admission.MutatingAdmissionPolicyBindings().Delete(ctx, name, metav1.DeleteOptions{})); err != nil {
		return fmt.Errorf("taking policy binding %s away: %w", name, err)
	}
	if err := ignoreNotFound(admission.MutatingAdmissionPolicies().Delete(ctx, name, metav1.DeleteOptions{})); err != nil {
		return fmt.Errorf("taking policy %s away: %w", name, err)
	}
	return ignoreNotFound(s.awaitMutation(ctx, name, false))
}
