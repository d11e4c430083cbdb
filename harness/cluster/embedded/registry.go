package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// Keys of such a record's data.
const (
	dataDir        = "dir"
	dataKept       = "kept"
	dataState      = "state"
	dataCause      = "cause"
	dataVersion    = "version"
	dataNodes      = "nodes"
	dataKubeconfig = "kubeconfig"
	// dataProcess is followed by a component's name.
	dataProcess = "process."
)

// State is how far a cluster is.
type State string

// States of clusters.
const (
	// Starting clusters are not ready yet.
	Starting State = "starting"
	// Ready clusters can be used.
	Ready State = "ready"
	// Broken clusters have lost a component; Cause says which. Their logs are still there.
	Broken State = "broken"
	// Dead clusters were left by a process that was killed.
	Dead State = "dead"
	// Foreign clusters belong to another machine or container that shares the journal.
	Foreign State = "foreign"
)

// Info is what others may know of a cluster.
type Info struct {
	Name string `json:"name"`
	// State is how far it is.
	State State `json:"state"`
	// Kept tells whether it stays until rehearse cluster down; otherwise it belongs to a run.
	Kept bool `json:"kept"`
	// Version is the Kubernetes version, once it is ready.
	Version string `json:"version,omitempty"`
	Nodes   int    `json:"nodes,omitempty"`
	// PID is the process that the cluster lives and dies with.
	PID        int       `json:"pid"`
	Began      time.Time `json:"began"`
	Kubeconfig string    `json:"kubeconfig,omitempty"`
	// Dir holds the cluster's data and logs.
	Dir string `json:"dir"`
	// Cause is why it is broken.
	Cause string `json:"cause,omitempty"`

	owner journal.Process
}

// List returns this machine's embedded clusters, oldest first: those kept and those of runs.
func (p *Provider) List() ([]Info, error) {
	j, err := journal.Open(p.stateRoot)
	if err != nil {
		return nil, err
	}
	records, err := j.List()
	var infos []Info
	for _, r := range records {
		if !isOurs(r) {
			continue
		}
		info, infoErr := toInfo(r)
		if infoErr != nil {
			err = errors.Join(err, infoErr)
			continue
		}
		infos = append(infos, info)
	}
	return infos, err
}

func isOurs(r journal.Record) bool {
	return r.Kind == journal.KindCluster && r.Data[journal.DataProvider] == providerName
}

func toInfo(r journal.Record) (Info, error) {
	nodes, err := strconv.Atoi(r.Data[dataNodes])
	if err != nil {
		return Info{}, fmt.Errorf("journal record of cluster %s: nodes: %w", r.ID, err)
	}
	owner, err := r.Owner.State()
	if err != nil {
		return Info{}, fmt.Errorf("journal record of cluster %s: %w", r.ID, err)
	}
	info := Info{
		Name: r.ID, State: State(r.Data[dataState]), Kept: r.Data[dataKept] != "", Version: r.Data[dataVersion], Nodes: nodes,
		PID: r.Owner.PID, Began: r.Began, Kubeconfig: r.Data[dataKubeconfig], Dir: r.Data[dataDir], Cause: r.Data[dataCause],
		owner: r.Owner,
	}
	switch owner {
	case journal.Gone:
		info.State = Dead
	case journal.Foreign:
		info.State = Foreign
	}
	return info, nil
}

// Undo removes an embedded cluster that a killed process left.
func Undo(ctx context.Context, r journal.Record) error {
	if !isOurs(r) {
		return fmt.Errorf("%s %s is not an embedded cluster", r.Kind, r.ID)
	}
	var errs []error
	for key, text := range r.Data {
		if !strings.HasPrefix(key, dataProcess) {
			continue
		}
		component, err := journal.ParseProcess(text, r.Owner)
		if err == nil {
			err = component.End(ctx)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return journal.RemoveDir(r.Data[dataDir])
}
