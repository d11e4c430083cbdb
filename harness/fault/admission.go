package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

// ours is true, in CEL, for requests of the harness itself, which no fault at admission is about: each of its parts writes
// under a field manager of this beginning.
const ours = "request.options.?fieldManager.orValue('').startsWith('" + userAgent + "')"

// uniqueName names what a fault makes outside of namespaces. No other fault makes anything of that name, and the API
// server's messages bear it.
func uniqueName(s Site, kind string) string {
	return strings.ToLower(s.fault + "." + s.Namespace + "." + kind + ".rehearse.dev")
}

// aimAtNamespace aims at all that is in the scenario's namespace.
func aimAtNamespace(s Site, name string) Aim {
	return Aim{
		Targets: []evidence.Ref{{Version: "v1", Kind: "Namespace", Name: s.Namespace}},
		Undo:    map[string]string{undoName: name},
	}
}

// onlyHere selects the scenario's namespace.
func onlyHere(s Site) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.Namespace}}
}

// rulesOf are the rules for the requests that a fault is about. Cluster-scoped objects, the namespace itself among them,
// never are.
func rulesOf(m v1alpha1.AdmissionMatch) admissionv1.RuleWithOperations {
	scope := admissionv1.NamespacedScope
	rule := admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: m.Groups, APIVersions: []string{"*"}, Resources: m.Resources, Scope: &scope},
	}
	if len(m.Groups) == 0 {
		rule.APIGroups = []string{"*"}
	}
	if len(m.Operations) > 0 {
		rule.Operations = nil
		for _, o := range m.Operations {
			rule.Operations = append(rule.Operations, admissionv1.OperationType(o))
		}
	}
	return rule
}

// probeRule is the rule for the request that probe makes.
func probeRule() admissionv1.RuleWithOperations {
	return rulesOf(v1alpha1.AdmissionMatch{Operations: []string{"CREATE"}, Groups: []string{""}, Resources: []string{"configmaps"}})
}

func checkAdmissionMatch(m v1alpha1.AdmissionMatch, path string) []registry.Problem {
	for i, r := range m.Resources {
		if r == "" || strings.ToLower(r) != r {
			return []registry.Problem{{
				Path: fmt.Sprintf("%sresources[%d]", path, i), Message: fmt.Sprintf("%q is no resource; they are lower-case plurals, as deployments", r),
			}}
		}
	}
	return nil
}

// probe asks whether an admission configuration is in effect, with a dry run of a ConfigMap that bears its name.
func (s *scene) probe(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return s.Client.CoreV1().ConfigMaps(s.Namespace).Create(ctx, cm, metav1.CreateOptions{
		DryRun: []string{metav1.DryRunAll}, FieldManager: userAgent,
	})
}

// awaitRefusal probes until the configuration refuses the probe, which it does with said in the answer, or until it no
// longer does. answer is told every answer to a probe that it refused; its error ends the waiting.
func awaitRefusal(ctx context.Context, s *scene, want bool, said string, answer func(error) error) error {
	last := errors.New("nothing has answered yet")
	err := wait.PollUntilContextCancel(ctx, probeEvery, true, func(ctx context.Context) (bool, error) {
		_, err := s.probe(ctx, s.Undo[undoName])
		refused := err != nil && strings.Contains(err.Error(), said)
		if refused {
			if err := answer(err); err != nil {
				return false, err
			}
		}
		var status apierrors.APIStatus
		if err != nil && !errors.As(err, &status) {
			last = err // the API server did not answer
			return false, nil
		}
		last = fmt.Errorf("a probe was answered with: %w", orAllowed(err))
		return refused == want, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("waiting until %s is in effect (wanted: %t): %w; last, %w", s.Undo[undoName], want, context.Cause(ctx), last)
	}
	return err
}

// errAllowed stands for the answer to a probe that was let pass.
var errAllowed = errors.New("allowed")

func orAllowed(err error) error {
	if err == nil {
		return errAllowed
	}
	return err
}
