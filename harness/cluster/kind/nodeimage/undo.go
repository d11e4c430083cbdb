package nodeimage

import (
	"context"
	"fmt"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// KindWorkshop is the journal's word for the container in which a node image is made, with the name of its base.
const KindWorkshop = "node-image-workshop"

// dataEngine is the key of the engine's command in a record.
const dataEngine = "engine"

// Undo removes containers in which node images were made, and what they were made upon.
func Undo() journal.Undo {
	return journal.Undo{Kind: KindWorkshop, Remove: func(ctx context.Context, r journal.Record) error {
		if !strings.HasPrefix(r.ID, journal.DirPrefix) {
			return fmt.Errorf("%q is no container that the harness makes; it is left alone", r.ID)
		}
		w := workshop{engine: engine{command: r.Data[dataEngine]}, id: r.ID}
		return w.remove(ctx)
	}}
}
