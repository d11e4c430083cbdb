package readiness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
)

// Sink takes evidence; evidence.Recorder is one.
type Sink interface {
	Record(evidence.Event) int64
}

// Controller releases the gates of a namespace's pods on schedule.
type Controller struct {
	client kubernetes.Interface
	rules  Rules
	sink   Sink

	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	step string
	// annotated is what the namespace is known to carry, and the policy to see.
	annotated map[string]string
	// seen counts the gated pods of each workload.
	seen map[string]int
	// playing holds the schedules that are under way.
	playing map[types.UID]performance
	// failures are gates that could not be set.
	failures []error
}

// performance is one pod's schedule under way.
type performance struct {
	cancel context.CancelFunc
	// ready holds whether the pod was ready when it was seen last, if that has not been taken yet.
	ready chan bool
}

// show replaces what was seen before. Only one may show at a time.
func (p performance) show(ready bool) {
	select {
	case <-p.ready:
	default:
	}
	p.ready <- ready
}

// await returns once the pod is seen to be ready, or not ready.
func (p performance) await(ctx context.Context, want bool) error {
	for {
		select {
		case ready := <-p.ready:
			if ready == want {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Start begins to watch over the pods of a namespace, which must carry NamespaceLabel; the policy must be installed.
// The controller works until ctx ends, or until Close. Without rules it does nothing.
func Start(ctx context.Context, cfg *rest.Config, rules Rules, sink Sink) (*Controller, error) {
	if err := rules.validate(); err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(configured(cfg))
	if err != nil {
		return nil, fmt.Errorf("watch over readiness in namespace %s: %w", rules.Namespace, err)
	}
	c := &Controller{
		client: client, rules: rules, sink: sink,
		seen: map[string]int{}, playing: map[types.UID]performance{},
	}
	running, cancel := context.WithCancel(ctx)
	c.cancel = cancel
	if len(rules.Rules) == 0 {
		return c, nil
	}
	if err := c.watch(ctx, running); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// EnterStep says that a step begins: rules that hold for certain steps are judged by it. It returns once the policy
// treats new pods as the step's rules say. It also reports gates that could not be set since the last step.
func (c *Controller) EnterStep(ctx context.Context, step string) error {
	c.mu.Lock()
	c.step = step
	failures := c.failures
	c.failures = nil
	want := NamespaceAnnotations(c.rules.Rules, step)
	settled := maps.Equal(want, c.annotated)
	c.mu.Unlock()
	if settled || len(failures) > 0 {
		return errors.Join(failures...)
	}
	if err := c.annotate(ctx, want); err != nil {
		return fmt.Errorf("set the readiness rules of step %s: %w", step, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.annotated = want
	return nil
}

func (c *Controller) annotate(ctx context.Context, want map[string]string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": want}})
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: manager}
	if _, err := c.client.CoreV1().Namespaces().Patch(ctx, c.rules.Namespace, types.MergePatchType, patch, options); err != nil {
		return err
	}
	expected := strings.Join([]string{policyVersion(), want[GatedAnnotation], want[FailingAnnotation]}, "|")
	return inEffect(ctx, c.client, c.rules.Namespace, func(seen string) bool { return seen == expected })
}

// Close ends the controller; gates that are held stay so. It reports gates that could not be set. It may be called
// again.
func (c *Controller) Close() error {
	c.cancel()
	c.wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.failures...)
}

// added begins a pod's schedule. The time of its creation is the time of receipt: creationTimestamp knows whole seconds
// only.
func (c *Controller) added(ctx context.Context, pod *corev1.Pod) {
	failing := pod.Annotations[SimulateAnnotation] == "fail"
	if pod.DeletionTimestamp != nil || !gated(pod) && !failing {
		return
	}
	workload := ref.OfPod(pod)
	if failing {
		c.record(pod, workload, decision{0, failed})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rule, index := fitting(c.rules.Rules, workload, c.step)
	delay := c.rules.delay(index, workload, c.seen[workload])
	c.seen[workload]++
	ctx, cancel := context.WithCancel(ctx)
	p := performance{cancel: cancel, ready: make(chan bool, 1)}
	p.show(ready(pod))
	c.playing[pod.UID] = p
	c.wg.Go(func() {
		defer cancel()
		play(ctx, schedule(rule, delay), func(d decision) error {
			err := c.decide(ctx, pod, workload, d)
			if err == nil && rule.Flap != nil && d.what != held {
				// A change that came before the pod has followed the last one would be seen by nobody.
				err = p.await(ctx, d.what == released)
			}
			return err
		})
	})
}

func (c *Controller) updated(pod *corev1.Pod) {
	if pod.DeletionTimestamp != nil {
		c.stop(pod.UID)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.playing[pod.UID]; ok {
		p.show(ready(pod))
	}
}

func (c *Controller) stop(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.playing[uid]; ok {
		p.cancel()
		delete(c.playing, uid)
	}
}

// decide records a decision and carries it out.
func (c *Controller) decide(ctx context.Context, pod *corev1.Pod, workload string, d decision) error {
	c.record(pod, workload, d)
	if d.what == held {
		return nil
	}
	err := c.setGate(ctx, pod, d.what == released)
	if err == nil || ctx.Err() != nil || errors.Is(err, errGone) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, fmt.Errorf("set the readiness gate of pod %s/%s: %w", pod.Namespace, pod.Name, err))
	return err
}

func (c *Controller) record(pod *corev1.Pod, workload string, d decision) {
	c.sink.Record(evidence.Event{Readiness: &evidence.Readiness{
		Pod:      evidence.Ref{Version: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)},
		Workload: workload, Decision: d.what, After: d.after,
	}})
}
