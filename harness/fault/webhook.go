package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/registry"
)

func webhookEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "webhook",
		Summary:  "Puts a validating webhook before requests in the scenario's namespace: one that rejects them, is slow, or is down.",
		Example:  "name: guard\nwebhook: {rejects: no downgrades, match: {operations: [UPDATE], resources: [deployments]}}\n",
		NewSpec:  func() any { return &v1alpha1.Webhook{} },
		Validate: validated(checkWebhook),
		Code:     code(func(s *v1alpha1.Webhook) breaker { return &webhook{spec: s} }),
	}
}

// maxWebhookTimeout is what the API server accepts, in seconds.
const maxWebhookTimeout = 30

func checkWebhook(s *v1alpha1.Webhook) []registry.Problem {
	all := checkAdmissionMatch(s.Match, "match.")
	ways := 0
	for _, stated := range []bool{s.Rejects != nil, s.Slow != nil, s.Down} {
		if stated {
			ways++
		}
	}
	if ways != 1 {
		all = append(all, registry.Problem{Message: "must do exactly one thing; state one of rejects, slow, down: true"})
	}
	if s.TimeoutSeconds > maxWebhookTimeout {
		all = append(all, registry.Problem{Path: "timeoutSeconds", Message: fmt.Sprintf("is more than the API server accepts: %d", maxWebhookTimeout)})
	}
	return all
}

// webhook is a validating webhook whose server runs in this process, while the fault is active.
type webhook struct {
	spec   *v1alpha1.Webhook
	server *hookServer
	calls  tally
	stop   func()
}

func (*webhook) available(ctx context.Context, s Site) error {
	_, err := address(ctx, s)
	return err
}

// address is where the API server reaches us.
func address(ctx context.Context, s Site) (string, error) {
	c, ok := s.Cluster.(cluster.Reaching)
	if !ok {
		return "", fmt.Errorf("%w: nothing says how the API server of cluster %s reaches this machine", cluster.ErrUnsupported, s.Cluster.Name())
	}
	return c.HarnessAddress(ctx)
}

func (*webhook) aim(_ context.Context, s Site) (Aim, error) {
	return aimAtNamespace(s, uniqueName(s, "webhook")), nil
}

func (w *webhook) inject(ctx context.Context, s *scene) error {
	at, err := address(ctx, s.Site)
	if err != nil {
		return err
	}
	if w.spec.Down {
		w.calls.of = w.missed(s.Undo[undoName])
		if err := w.calls.begin(ctx, s.Site); err != nil {
			return err
		}
		w.stop = w.calls.hear(s, `failed calling webhook \"`+s.Undo[undoName])
	}
	var helm *writing
	if !w.spec.Down {
		helm, w.stop = s.follow()
	}
	if w.server, err = startHook(at, *w.spec, firesAt(s, helm)); err != nil {
		return err
	}
	_, err = s.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, w.configuration(s), metav1.CreateOptions{FieldManager: userAgent})
	if err != nil {
		return fmt.Errorf("making the webhook's configuration: %w", err)
	}
	return nil
}

// configuration has two webhooks: the one that the fault is, and one for our probes alone, which is there as long as that.
func (w *webhook) configuration(s *scene) *admissionv1.ValidatingWebhookConfiguration {
	name := s.Undo[undoName]
	policy, wait := admissionv1.FailurePolicyType(w.spec.FailurePolicy), int32(w.spec.TimeoutSeconds)
	hook := w.hook(s, name, "/requests", rulesOf(w.spec.Match))
	hook.FailurePolicy, hook.TimeoutSeconds = &policy, &wait
	hook.MatchConditions = []admissionv1.MatchCondition{{Name: "not-the-harness", Expression: "!" + ours}}
	if w.spec.Match.Expression != "" {
		hook.MatchConditions = append(hook.MatchConditions, admissionv1.MatchCondition{Name: "expression", Expression: w.spec.Match.Expression})
	}
	probe := w.hook(s, probeHook+name, "/probe", probeRule())
	probe.MatchConditions = []admissionv1.MatchCondition{{Name: "probe", Expression: fmt.Sprintf("request.name == '%s' && %s", name, ours)}}
	return &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Webhooks: []admissionv1.ValidatingWebhook{hook, probe},
	}
}

// probeHook begins the name of the webhook for probes.
const probeHook = "probe."

func (w *webhook) hook(s *scene, name, path string, rule admissionv1.RuleWithOperations) admissionv1.ValidatingWebhook {
	none, exact, url := admissionv1.SideEffectClassNone, admissionv1.Exact, w.server.url+path
	return admissionv1.ValidatingWebhook{
		Name:                    name,
		ClientConfig:            admissionv1.WebhookClientConfig{URL: &url, CABundle: w.server.ca},
		Rules:                   []admissionv1.RuleWithOperations{rule},
		MatchPolicy:             &exact,
		NamespaceSelector:       onlyHere(s.Site),
		SideEffects:             &none,
		AdmissionReviewVersions: []string{"v1"},
	}
}

// probeRefused is in every answer to a probe that the webhook refused, and to one about which it could not be asked.
func probeRefused(s *scene) string { return fmt.Sprintf("webhook %q", probeHook+s.Undo[undoName]) }

// missed picks, of the API server's own counters, those of calls that came to nothing.
func (w *webhook) missed(name string) func(sample) bool {
	return func(m sample) bool {
		if m.labels["name"] != name {
			return false
		}
		return m.name == "apiserver_admission_webhook_fail_open_count" ||
			m.name == "apiserver_admission_webhook_rejection_count" && m.labels["error_type"] == "calling_webhook_error"
	}
}

// propagated waits until the API server asks the webhook.
func (w *webhook) propagated(ctx context.Context, s *scene) error {
	return awaitRefusal(ctx, s, true, probeRefused(s), func(answer error) error {
		if !w.spec.Down && strings.Contains(answer.Error(), "failed calling webhook") {
			return fmt.Errorf("the API server does not reach this machine at %s (does a firewall keep it from that?): %w", w.server.url, answer)
		}
		return nil
	})
}

// count counts the calls of a webhook that is down in which Helm saw nothing of it, which nobody but the API server sees.
func (w *webhook) count(ctx context.Context, s *scene, _ error) error {
	if !w.spec.Down {
		return nil
	}
	return w.calls.count(ctx, s, "called in vain ("+w.spec.FailurePolicy+"), as the API server counted by now")
}

// recover takes the configuration away before the server ends, so that nothing is called in vain.
func (w *webhook) recover(ctx context.Context, s *scene) error {
	if w.stop != nil {
		w.stop()
	}
	err := s.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, s.Undo[undoName], metav1.DeleteOptions{})
	if err = ignoreNotFound(err); err != nil {
		err = fmt.Errorf("taking the webhook's configuration %s away: %w", s.Undo[undoName], err)
	} else {
		err = awaitRefusal(ctx, s, false, probeRefused(s), func(error) error { return nil })
	}
	if w.server != nil {
		err = errors.Join(err, w.server.stop(ctx))
		w.server = nil
	}
	return err
}

// recovered has nothing to wait for any more.
func (*webhook) recovered(context.Context, *scene) error { return nil }
