package fault

import (
	"fmt"
	"reflect"
	"strings"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/schema/fields"
)

// Place is a provider, as far as faults are concerned.
type Place struct {
	Name string
	// Clusters is a cluster of its, of which nothing but the type is looked at: what they can is known by that.
	Clusters cluster.Cluster
	// Lacks says of which controllers there are none; nil: they have all.
	Lacks func(controller string) error
}

// need is what a fault stands on beyond what every cluster has.
type need struct {
	// met tells by the type of a provider's clusters. Nil: it is no matter of the provider.
	met func(cluster.Cluster) bool
	// unmet is the reason where it is not met.
	unmet string
	// provided is what has to be so on a provider that can meet it, or on any; empty if nothing has.
	provided string
}

// What faults stand on.
var (
	breakableNodes = need{met: is[cluster.Breakable], unmet: "nodes and containers of its clusters cannot be broken from outside"}
	breakablePlane = need{met: is[cluster.Interruptible], unmet: "the control plane of its clusters cannot be broken from outside"}
	reachable      = need{met: is[cluster.Reaching], unmet: "nothing says how the API server reaches this machine", provided: "the API server can reach a port of this machine"}
	mutation       = need{provided: "the cluster serves MutatingAdmissionPolicy v1 (Kubernetes 1.36 or later)"}
	helmProcess    = need{provided: "Helm is a process of its own (driver cli)"}
)

func is[C cluster.Cluster](c cluster.Cluster) bool {
	_, ok := c.(C)
	return ok
}

// demanding is a breaker that stands on something which not every cluster has; its available looks for that.
type demanding interface{ needs() []need }

func (crash) needs() []need     { return []need{breakableNodes} }
func (halt) needs() []need      { return []need{breakableNodes} }
func (*outage) needs() []need   { return []need{breakablePlane} }
func (*slowness) needs() []need { return []need{breakablePlane} }
func (*webhook) needs() []need  { return []need{reachable} }
func (image) needs() []need     { return []need{mutation} }
func (*volume) needs() []need   { return []need{mutation} }

func (c *client) needs() []need {
	if c.deed.needs != nil {
		return []need{helmProcess}
	}
	return nil
}

// Where says of a kind of fault, in a line for each place, whether it can be had there, and why not.
func Where(kind string, places []Place) ([]string, error) {
	entry, err := Registry().Lookup(kind)
	if err != nil {
		return nil, err
	}
	b, err := entry.Code.prepare(entry.NewSpec())
	if err != nil {
		return nil, fmt.Errorf("fault %s: %w", kind, err)
	}
	var needs []need
	if d, ok := b.(demanding); ok {
		needs = d.needs()
	}
	var all []string
	for _, p := range places {
		all = append(all, fmt.Sprintf("%-15s %s", p.Name, p.has(needs, entry.Code.lacking(entry.NewSpec, p.Lacks))))
	}
	return all, nil
}

// has says whether a place has what a fault needs; but are the settings of it that cannot be had there.
func (p Place) has(needs []need, but []string) string {
	var no, provided []string
	for _, n := range needs {
		switch {
		case n.met != nil && !n.met(p.Clusters):
			no = append(no, n.unmet)
		case n.provided != "":
			provided = append(provided, n.provided)
		}
	}
	if len(no) > 0 {
		return "no: " + strings.Join(no, "; ")
	}
	text := "yes"
	if len(provided) > 0 {
		text += ", where " + strings.Join(provided, " and ")
	}
	if len(but) > 0 {
		text += ", but not with " + strings.Join(but, "; ")
	}
	return text
}

// lacking are the settings, of those that are chosen from a list, with which the kind stands on a controller that is not
// there, each with the reason.
func (c Code) lacking(newSpec func() any, lacks func(controller string) error) []string {
	if c.controller == nil || lacks == nil {
		return nil
	}
	var all []string
	spec := reflect.ValueOf(newSpec()).Elem()
	for _, f := range fields.Of(spec.Type()) {
		if f.Type.Kind() != reflect.String {
			continue
		}
		for _, choice := range f.Enum {
			one := reflect.ValueOf(newSpec())
			f.Of(one.Elem()).SetString(choice)
			name := c.controller(one.Interface())
			if name == "" {
				continue
			}
			if err := lacks(name); err != nil {
				reason := strings.TrimPrefix(err.Error(), cluster.ErrUnsupported.Error()+": ")
				all = append(all, fmt.Sprintf("%s %s: %s", f.Name, choice, reason))
			}
		}
	}
	return all
}
