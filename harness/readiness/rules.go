// Package readiness decides when pods become ready, without touching the chart's objects: an admission policy gives the
// pods of chosen workloads a readiness gate, and a Controller releases the gates on schedule. Nothing in it depends on
// how a cluster runs its pods.
package readiness

import (
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/ref"
)

// What the harness writes on namespaces and pods.
const (
	// NamespaceLabel marks the namespaces in which the policy is in effect.
	NamespaceLabel = "rehearse.dev/scenario"
	// GatedAnnotation of a namespace lists the workloads whose pods get the gate.
	GatedAnnotation = "rehearse.dev/gated"
	// FailingAnnotation of a namespace lists the workloads whose pods are to fail.
	FailingAnnotation = "rehearse.dev/failing"
	// SimulateAnnotation of a pod says "fail" if it is to fail.
	SimulateAnnotation = "rehearse.dev/simulate"
	// Gate is the condition type of the readiness gate.
	Gate = "rehearse.dev/ready"

	manager = "rehearse"
)

// The decisions that are recorded.
const (
	held      = "held"
	released  = "released"
	withdrawn = "withdrawn"
	failed    = "failed"
)

// Rules say which pods of a namespace become ready when.
type Rules struct {
	Namespace string
	Rules     []v1alpha1.ReadinessRule
	// Seed is what jitter is drawn from.
	Seed int64
}

func (r Rules) validate() error {
	for i, rule := range r.Rules {
		object, err := ref.Parse(rule.Workload)
		if err == nil && object.In(r.Namespace).Namespace != r.Namespace {
			err = fmt.Errorf("workload %s is not in the scenario's namespace %s", rule.Workload, r.Namespace)
		}
		if err != nil {
			return fmt.Errorf("readiness[%d]: %w", i, err)
		}
	}
	return nil
}

// NamespaceAnnotations are the annotations that a scenario's namespace must carry while a step is under way. They
// stay the same over all steps unless a fail rule holds for some steps only.
func NamespaceAnnotations(rules []v1alpha1.ReadinessRule, step string) map[string]string {
	if len(rules) == 0 {
		return nil
	}
	var gated, failing []string
	for _, rule := range rules {
		workload := ref.Workload(rule.Workload)
		if gates(rule) {
			gated = append(gated, workload)
		}
		if fit, _ := fitting(rules, workload, step); fit.Fail {
			failing = append(failing, workload)
		}
	}
	return map[string]string{GatedAnnotation: list(gated), FailingAnnotation: list(failing)}
}

func list(workloads []string) string {
	slices.Sort(workloads)
	return strings.Join(slices.Compact(workloads), ",")
}

func gates(r v1alpha1.ReadinessRule) bool {
	return r.Never || r.Flap != nil || r.Delay != nil || r.Jitter != nil
}

// fitting is the first rule that holds for a workload's pods created during a step, and its index; -1 if none does.
func fitting(rules []v1alpha1.ReadinessRule, workload, step string) (v1alpha1.ReadinessRule, int) {
	i := v1alpha1.RuleFor(rules, step, func(of string) bool { return ref.Workload(of) == workload })
	if i < 0 {
		return v1alpha1.ReadinessRule{}, i
	}
	return rules[i], i
}

// decision is one entry of a pod's schedule.
type decision struct {
	// after is the time since the pod's creation.
	after time.Duration
	what  string
}

// schedule is what happens to a gated pod; it has no end if the rule's flapping has none. delay includes the jitter.
func schedule(rule v1alpha1.ReadinessRule, delay time.Duration) iter.Seq[decision] {
	return func(yield func(decision) bool) {
		if rule.Never || rule.Fail {
			yield(decision{0, held})
			return
		}
		if delay > 0 && !yield(decision{0, held}) || !yield(decision{delay, released}) || rule.Flap == nil {
			return
		}
		at := delay
		for n := 0; rule.Flap.Times == 0 || n < rule.Flap.Times; n++ {
			at += rule.Flap.Ready.Duration
			if !yield(decision{at, withdrawn}) {
				return
			}
			at += rule.Flap.NotReady.Duration
			if !yield(decision{at, released}) {
				return
			}
		}
	}
}

// delay is when the nth pod of a workload (from 0) becomes ready. The same seed gives the same delays, in whatever order
// the pods of different workloads appear.
func (r Rules) delay(rule int, workload string, nth int) time.Duration {
	var delay time.Duration
	if rule < 0 {
		return 0
	}
	if d := r.Rules[rule].Delay; d != nil {
		delay = d.Duration
	}
	if j := r.Rules[rule].Jitter; j != nil && j.Duration > 0 {
		key := fnv.New64a()
		_, _ = fmt.Fprintf(key, "%s\x00%d\x00%d", workload, nth, rule) // a hash takes all that is written
		source := rand.NewPCG(uint64(r.Seed), key.Sum64())
		delay += time.Duration(rand.New(source).Int64N(int64(j.Duration) + 1))
	}
	return delay
}

// play carries out the decisions when they are due, until the context ends or one cannot be carried out. How long one
// takes until the pod has followed is not taken from the time to the next: a pod that flaps is ready for as long as the
// rule says, on a slow node too. do gets the time of its decision with that added.
func play(ctx context.Context, decisions func(func(decision) bool), do func(decision) error) {
	start := time.Now()
	var late time.Duration
	for d := range decisions {
		d.after += late
		timer := time.NewTimer(time.Until(start.Add(d.after)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		began := time.Now()
		if do(d) != nil {
			return
		}
		if d.what != held {
			late += time.Since(began)
		}
	}
}
