package replay

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
)

// Firing is one time that a fault took effect. At a request of Helm's it is known by what the request is about, and which
// of several that are alike it is; all else by the object that was hit.
type Firing struct {
	Fault string `json:"fault"`
	// Step is the step that was under way; empty if it was at no request.
	Step string `json:"step,omitempty"`
	// At is the request, or the object.
	At string `json:"at"`
	// Nth tells requests of a step apart that are alike otherwise, from 1; 0 if it was at no request.
	Nth int `json:"nth,omitempty"`
	// What says what was done to it.
	What string `json:"what,omitempty"`

	began, ended time.Duration
	batch        string // of requests that Helm sends side by side
	number       int64  // of the request
}

// String is, for example, "busy at patch deployments/backend #2 (step v2): answered 409".
func (f Firing) String() string {
	text := f.Fault + " at " + f.At
	if f.Nth > 1 {
		text += fmt.Sprintf(" #%d", f.Nth)
	}
	if f.Step != "" {
		text += " (step " + f.Step + ")"
	}
	if f.What != "" {
		text += ": " + f.What
	}
	return text
}

// is reports whether two runs' firings are the same one.
func (f Firing) is(other Firing) bool { return f.String() == other.String() }

// commutes reports whether two firings of a run have no order. Helm sent their requests side by side if they overlap, or are of
// a batch; what happens at no request is seen by watches and counters, sooner or later.
func (f Firing) commutes(other Firing) bool {
	if f.Nth == 0 || other.Nth == 0 {
		return true
	}
	return f.Step == other.Step && (f.batch != "" && f.batch == other.batch || f.began < other.ended && other.began < f.ended)
}

// Firings lists the firings of a variant's faults, in their order. What controllers and kubelets do again and again counts
// once, and so does what happens several times in one request, which the API server tries again when others write meanwhile:
// how often is a matter of time.
func Firings(b *evidence.Bundle) ([]Firing, error) {
	r := newReader(b)
	var all []Firing
	for i := range b.Timeline {
		e := &b.Timeline[i]
		if e.Fault == nil || e.Fault.Phase != evidence.FaultFired {
			continue
		}
		if b.Variant.Format < 2 {
			return nil, fmt.Errorf("%w: it was made by an older version, whose evidence does not say at which requests faults fired; run the scenario again", ErrNotWhole)
		}
		f := r.firing(e)
		if slices.ContainsFunc(all, func(o Firing) bool { return o.is(f) && o.number == f.number }) {
			continue
		}
		all = append(all, f)
	}
	return all, nil
}

// reader finds in a bundle what firings are about.
type reader struct {
	bundle   *evidence.Bundle
	requests map[int64]*request
	// installs are the steps in which Helm makes or deletes objects of a kind side by side.
	installs map[string]bool
}

type request struct {
	*evidence.Request
	step string
	nth  int
}

func newReader(b *evidence.Bundle) *reader {
	r := &reader{bundle: b, requests: map[int64]*request{}, installs: map[string]bool{}}
	var all []*request
	for i := range b.Timeline {
		e := &b.Timeline[i]
		if e.Request != nil {
			one := &request{Request: e.Request, step: e.Step}
			r.requests[e.Request.Number] = one
			all = append(all, one)
		}
		if e.Started != nil && slices.Contains([]string{"install", "uninstall"}, e.Started.Operation) {
			r.installs[e.Step] = true
		}
	}
	slices.SortFunc(all, func(a, b *request) int { return cmp.Compare(a.Number, b.Number) })
	alike := map[string]int{}
	for _, one := range all {
		key := one.step + "\x00" + one.Group + "\x00" + one.String()
		alike[key]++
		one.nth = alike[key]
	}
	return r
}

func (r *reader) firing(e *evidence.Event) Firing {
	f := Firing{Fault: e.Fault.Name}
	q := r.requests[e.Fault.Request]
	if q == nil {
		f.At = r.targets(e.Fault.Targets)
		f.What, _, _ = strings.Cut(r.bundle.Plain(e.Fault.Detail), ":") // what follows names pods, and tells how much there was of what
		return f
	}
	text := q.String()
	f.Step, f.At, f.Nth, f.began, f.ended = q.step, r.bundle.Plain(text), q.nth, q.Began, q.Began+q.Took
	f.What = r.bundle.Plain(strings.Trim(strings.Replace(e.Fault.Detail, text, "", 1), ": "))
	f.number = q.Number
	if r.installs[q.step] {
		f.batch = q.Verb + " " + q.Group + "/" + q.Resource
	}
	return f
}

func (r *reader) targets(refs []evidence.Ref) string {
	all := make([]string, len(refs))
	for i, ref := range refs {
		all[i] = r.object(ref)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// object is what an object is called in every run. A node is the scheduler's choice, or the cluster's; the name of a pod
// that is one of many is the API server's.
func (r *reader) object(ref evidence.Ref) string {
	switch ref.Kind {
	case "Node":
		return "Node/*"
	case "Pod":
		return "Pod/" + r.pod(ref)
	}
	return r.bundle.Plain(ref.String())
}

func (r *reader) pod(ref evidence.Ref) string {
	for i := range r.bundle.Timeline {
		e := &r.bundle.Timeline[i]
		if e.Object == nil || e.Object.Ref.Kind != "Pod" || e.Object.Ref.Name != ref.Name {
			continue
		}
		object, err := r.bundle.Object(e.Seq)
		if err != nil {
			continue // then its own name stands for it
		}
		meta, _ := object["metadata"].(map[string]any)
		generated, _ := meta["generateName"].(string)
		if _, number := strings.CutPrefix(ref.Name, generated); generated != "" && number && !ordinal.MatchString(ref.Name[len(generated):]) {
			return generated + "*"
		}
		break
	}
	return ref.Name
}

// ordinal is the end of the name of a StatefulSet's pod.
var ordinal = regexp.MustCompile(`^\d{1,4}$`)

// Difference is where the firings of two runs differ first. A firing that is empty is none: there was no more.
type Difference struct {
	// Number counts the first run's firings from 1.
	Number int    `json:"number"`
	Then   string `json:"then,omitempty"`
	Now    string `json:"now,omitempty"`
}

// Compare tells where the firings of two runs differ first; nil if they are the same in the same order, but for what has no
// order in either of them.
func Compare(then, now []Firing) *Difference {
	rest := slices.Clone(now)
	for i, f := range then {
		j := slices.IndexFunc(rest, f.is)
		if j < 0 || !free(then[i:], rest[:j+1]) {
			return difference(i, then, rest)
		}
		rest = slices.Delete(rest, j, j+1)
	}
	if len(rest) > 0 {
		return difference(len(then), then, rest)
	}
	return nil
}

// free reports whether the first of then may as well be the last of now: it has no order with each of those before it, now
// or then.
func free(then, now []Firing) bool {
	last := len(now) - 1
	for _, before := range now[:last] {
		i := slices.IndexFunc(then, before.is)
		if !now[last].commutes(before) && (i < 0 || !then[0].commutes(then[i])) {
			return false
		}
	}
	return true
}

func difference(i int, then, rest []Firing) *Difference {
	d := &Difference{Number: i + 1}
	if i < len(then) {
		d.Then = then[i].String()
	}
	if len(rest) > 0 {
		d.Now = rest[0].String()
	}
	return d
}
