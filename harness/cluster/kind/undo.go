package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

// ProviderName is the provider's name in scenario files, and in journal records.
const ProviderName = "kind"

// Keys of such a record's data, beside those of package kept.
const (
	dataEngine    = "engine"
	dataNetwork   = "network"
	dataStateRoot = "stateRoot"
	// dataOwnImage is there if nodes run an image of ours.
	dataOwnImage = "ownImage"
	// dataEnv is followed by the name of a variable that says where the engine is.
	dataEnv = "env."
)

func isOurs(r journal.Record) bool {
	return r.Kind == journal.KindCluster && r.Data[journal.DataProvider] == ProviderName
}

// Undo removes what a killed process left of a kind cluster: nodes with their volumes, the network if it was made for one
// and nobody uses it, and the folder. Node images stay, as any cache does.
func Undo(ctx context.Context, r journal.Record) error {
	if !isOurs(r) {
		return fmt.Errorf("provider %q is not known here", r.Data[journal.DataProvider])
	}
	e, err := recordedEngine(r)
	if err != nil {
		return err
	}
	if _, err := e.info(ctx); err != nil {
		return fmt.Errorf("%w, so that nodes of %s cannot be looked for: %w (start it, then collect again)", ErrNoRuntime, r.ID, err)
	}
	found, err := endOrphans(ctx, e, r.ID)
	if err != nil {
		return err
	}
	if found || r.Data[kept.DataState] == string(kept.Starting) {
		err = e.removeSettled(ctx, r.ID)
	} else {
		err = e.removeNodes(ctx, r.ID)
	}
	if err == nil {
		err = network{engine: e, name: r.Data[dataNetwork], cluster: r.ID, stateRoot: r.Data[dataStateRoot]}.remove(ctx)
	}
	if err != nil {
		return err
	}
	return journal.RemoveDir(r.Data[kept.DataDir])
}

// recordedEngine is the engine that a record names.
func recordedEngine(r journal.Record) (engine, error) {
	e := engine{binary: r.Data[dataEngine]}
	if !slices.Contains(append(engines(), "nerdctl.lima"), e.binary) {
		return engine{}, fmt.Errorf("%q is no container engine that kind knows", e.binary)
	}
	for key, value := range r.Data {
		if name, ok := strings.CutPrefix(key, dataEnv); ok && slices.Contains(endpointEnv(), name) {
			e.env = append(e.env, name+"="+value)
		}
	}
	return e, nil
}

// endOrphans ends commands of the engine that a killed process was running to make something for the cluster: they
// survive it, and would go on making it.
func endOrphans(ctx context.Context, e engine, cluster string) (found bool, err error) {
	marks := []string{clusterLabel + "=" + cluster, networkLabel + "=" + cluster}
	pids, err := commandsOf(e.binary, marks)
	if err != nil {
		return false, fmt.Errorf("look for commands of %s that still make nodes: %w", e.binary, err)
	}
	var errs []error
	for _, pid := range pids {
		p, err := journal.Lookup(pid)
		if err != nil {
			continue // it has ended
		}
		found = true
		errs = append(errs, p.End(ctx))
	}
	return found, errors.Join(errs...)
}

// isCommand tells whether a command line is one of the engine's that bears one of the marks.
func isCommand(argv []string, binary string, marks []string) bool {
	if len(argv) < 2 {
		return false
	}
	name := argv[0][strings.LastIndexByte(argv[0], os.PathSeparator)+1:]
	making := argv[1] == "run" || argv[1] == "network"
	return name == binary && making && slices.ContainsFunc(argv, func(a string) bool { return slices.Contains(marks, a) })
}
