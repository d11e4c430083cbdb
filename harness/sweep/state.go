package sweep

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/verdict"
)

// What State says of ownership and of live objects that are neither as before the step nor as after it.
const (
	AsBefore = "as before"
	AsAfter  = "as after"
	Between  = "between"
)

// State is what a step left behind.
type State struct {
	// Ledger lists the revisions in Helm's storage with their status, for example "1 deployed, 2 pending-upgrade".
	Ledger string `json:"ledger"`
	// Live says which revision's manifest the live objects equal: "revision 1", or "between" if they equal none.
	Live string `json:"live"`
	// Ownership compares what Helm owns of the release's objects with the unbroken step: as before it, as after it, between.
	Ownership string `json:"ownership"`
}

// Reference is the step as it goes when nothing breaks it.
type Reference struct {
	manager       string
	before, after owned
	// liveBefore and liveAfter say which revision's manifest is live, and newest is the newest revision before it.
	liveBefore, liveAfter string
	newest                int
}

// owned is what Helm owns of each object of a release, by Kind/name.
type owned map[string]string

// NewReference reads the recording of a step. manager is Helm's field manager.
func NewReference(recording *evidence.Bundle, step, manager string) (*Reference, error) {
	ref := &Reference{manager: manager}
	earlier := previous(recording, step)
	for name, into := range map[string]struct {
		owned *owned
		live  *string
	}{earlier: {&ref.before, &ref.liveBefore}, step: {&ref.after, &ref.liveAfter}} {
		s, ok := recording.Snapshot(name)
		if !ok {
			return nil, fmt.Errorf("%w: it has no snapshot of step %q", ErrRecording, name)
		}
		var err error
		if *into.owned, err = ownedIn(s, manager); err != nil {
			return nil, err
		}
		*into.live = live(recording, name, s.Ledger)
		for _, r := range s.Ledger.Revisions {
			if name == earlier {
				ref.newest = max(ref.newest, r.Revision)
			}
		}
	}
	return ref, nil
}

func ownedIn(s evidence.Snapshot, manager string) (owned, error) {
	all := owned{}
	for _, o := range s.Objects {
		meta, _ := o["metadata"].(map[string]any)
		annotations, _ := meta["annotations"].(map[string]any)
		if annotations["meta.helm.sh/release-name"] != s.Ledger.Release || annotations["meta.helm.sh/release-namespace"] != s.Ledger.Namespace {
			continue
		}
		entries, err := ownership.Entries(o)
		if err != nil {
			return nil, err
		}
		var text strings.Builder
		for _, e := range entries {
			if e.Name == manager {
				fmt.Fprintf(&text, "%s: %s\n", e.Manager, e.Fields)
			}
		}
		key := fmt.Sprintf("%v/%v", o["kind"], meta["name"])
		if namespace := meta["namespace"]; namespace != nil && namespace != s.Ledger.Namespace { // which every try has another one of
			key = fmt.Sprintf("%v/%v/%v", o["kind"], namespace, meta["name"])
		}
		all[key] = text.String()
	}
	return all, nil
}

// state reads what a step left behind, and where that is between the step's start and its end.
func (ref *Reference) state(b *evidence.Bundle, step string) (State, ending, error) {
	s, ok := b.Snapshot(step)
	if !ok {
		return State{}, ending{}, fmt.Errorf("the evidence has no snapshot of step %q", step)
	}
	now, err := ownedIn(s, ref.manager)
	if err != nil {
		return State{}, ending{}, err
	}
	out := State{Ledger: ledger(s.Ledger), Live: live(b, step, s.Ledger), Ownership: Between}
	switch {
	case maps.Equal(now, ref.before):
		out.Ownership = AsBefore
	case maps.Equal(now, ref.after):
		out.Ownership = AsAfter
	}
	return out, ref.ending(s.Ledger, out), nil
}

func ledger(l evidence.Ledger) string {
	var all []string
	for _, r := range sorted(l) {
		all = append(all, fmt.Sprintf("%d %s", r.Revision, r.Status))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Unreadable)) {
		all = append(all, name+" unreadable")
	}
	if len(all) == 0 {
		return "empty"
	}
	return strings.Join(all, ", ")
}

func sorted(l evidence.Ledger) []evidence.Revision {
	return slices.SortedFunc(slices.Values(l.Revisions), func(a, b evidence.Revision) int { return a.Revision - b.Revision })
}

// live says which revision's manifest the live objects equal, the oldest if several are alike.
func live(b *evidence.Bundle, step string, l evidence.Ledger) string {
	for _, r := range sorted(l) {
		if holds(b, assertion("live", &v1alpha1.Live{At: step, Revision: r.Revision, Strict: true})) == "" {
			return fmt.Sprintf("revision %d", r.Revision)
		}
	}
	return Between
}

func assertion(kind string, spec any) v1alpha1.Assertion {
	return v1alpha1.Assertion{Name: "sweep: " + kind, Do: v1alpha1.Choice{Kind: kind, Spec: spec}}
}

// holds judges one assertion on a bundle; it says what contradicts it, or what is missing, or nothing.
func holds(b *evidence.Bundle, a v1alpha1.Assertion) string {
	for _, v := range assert.Judge(b, v1alpha1.Spec{Assert: []v1alpha1.Assertion{a}}) {
		if strings.HasPrefix(v.Name, a.Name) && v.Status != verdict.Passed {
			return string(v.Status) + ": " + v.Message
		}
	}
	return ""
}
