package fault

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/evidence"
)

// journalKind is the kind of the journal's records of faults.
const journalKind = "fault"

// The keys of such a record's data. What undoing a fault needs beyond them has the prefix.
const (
	dataCluster   = "cluster"
	dataKind      = "kind"
	dataNamespace = "namespace"
	undoPrefix    = "undo."
)

// Note is where faults are written down before they are injected, on a cluster that outlives the run. The zero Note
// writes nothing.
type Note struct {
	// Journal is nil on a cluster that goes away with the run.
	Journal *journal.Journal
	// Cluster is the cluster's name.
	Cluster string

	fault, kind, namespace string
	entry                  *journal.Entry
}

func (n *Note) begin(undo map[string]string) error {
	if n.Journal == nil {
		return nil
	}
	data := map[string]string{dataCluster: n.Cluster, dataKind: n.kind, dataNamespace: n.namespace}
	for key, value := range undo {
		data[undoPrefix+key] = value
	}
	entry, err := n.Journal.Begin(journalKind, n.namespace+"."+n.fault, data)
	if err != nil {
		return fmt.Errorf("noting the fault before it is injected: %w", err)
	}
	n.entry = entry
	return nil
}

func (n *Note) done() error {
	if n.entry == nil {
		return nil
	}
	return n.entry.Done()
}

// Reach finds a cluster by its name, to undo a fault there; nil without an error if it is gone, and all in it.
type Reach func(ctx context.Context, name string) (cluster.Cluster, error)

// undoBound is how long rehearse gc tries to undo one fault. A namespace that terminates takes most of a minute, if what
// was in it is slow to go.
const undoBound = 2 * time.Minute

// Undo is how rehearse gc recovers what a killed run broke on a cluster that outlived it.
func Undo(reach Reach) journal.Undo {
	return journal.Undo{Kind: journalKind, Remove: func(ctx context.Context, r journal.Record) error {
		ctx, cancel := context.WithTimeoutCause(ctx, undoBound, fmt.Errorf("given up after %s", undoBound))
		defer cancel()
		c, err := reach(ctx, r.Data[dataCluster])
		if err != nil || c == nil {
			return err
		}
		return undo(ctx, c, r.Data)
	}}
}

func undo(ctx context.Context, c cluster.Cluster, data map[string]string) error {
	entry, err := Registry().Lookup(data[dataKind])
	if err != nil {
		return fmt.Errorf("%w (a newer version of this program may know it)", err)
	}
	b, err := entry.Code.prepare(entry.NewSpec())
	if err != nil {
		return err
	}
	site, err := NewSite(c, data[dataNamespace])
	if err != nil {
		return err
	}
	aim := Aim{Undo: map[string]string{}}
	for key, value := range data {
		if name, ok := strings.CutPrefix(key, undoPrefix); ok {
			aim.Undo[name] = value
		}
	}
	return b.recover(ctx, &scene{Site: site, Aim: aim, fired: func(evidence.Ref, string) {}, firedAt: func(evidence.Request, evidence.Ref, string) {}})
}
