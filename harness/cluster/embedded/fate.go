package embedded

import (
	"path/filepath"
	"slices"
	"time"
)

// fate is what becomes of a component that has ended.
type fate int

const (
	dies     fate = iota // and the cluster with it
	awaits               // it was killed on purpose, and is started again once that is asked for
	retries              // it was started again, but its port was taken meanwhile
	survives             // it ended by itself after an outage that was asked for, and is started again as by a kubelet
)

const (
	// reviveTries is how often a component that was killed on purpose is started if its port is taken meanwhile.
	reviveTries = 20
	// mostRestarts is how often a component may end by itself within the aftermath of an outage. One that ends again and
	// again does so for another reason.
	mostRestarts = 3
)

// fragile are the components that go by the API server and hold nothing themselves: they can end of an outage, and start
// again without anybody else noticing. If the API server or etcd ends by itself, evidence is lost.
var fragile = []string{controllerManager, scheduler}

// end is how a component has ended.
type end struct {
	component string
	at        time.Time
	// ordered is set if that was asked for, portTaken if it found its port taken.
	ordered, portTaken bool
	// felt is the outage that may be why; nil if there is none.
	felt *outage
}

// endOf says how a component has ended.
func (c *Cluster) endOf(p *process) end {
	now := time.Now()
	return end{
		component: p.name, at: now,
		ordered:   ordered(filepath.Join(c.dir, p.name+downSuffix), p.running) || ordered(filepath.Join(c.dir, p.name+upSuffix), p.running),
		portTaken: isPortTaken(p.failure()),
		felt:      feltOutage(c.dir, now),
	}
}

// history is what became of a component so far.
type history struct {
	// tries is how often it was started since it was killed; 0 if it never was.
	tries int
	// restarts are when it ended by itself and was started again.
	restarts []time.Time
}

// fate decides what becomes of a component, and remembers that.
func (h *history) fate(e end) fate {
	switch {
	case e.ordered:
		h.tries = 1
		return awaits
	case e.portTaken && h.tries > 0 && h.tries < reviveTries:
		h.tries++
		return retries
	case e.felt == nil || !slices.Contains(fragile, e.component):
		return dies
	}
	h.restarts = slices.DeleteFunc(h.restarts, func(t time.Time) bool { return e.at.Sub(t) >= aftermath })
	if len(h.restarts) == mostRestarts {
		return dies
	}
	h.restarts = append(h.restarts, e.at)
	return survives
}
