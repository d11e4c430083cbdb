// Package kept holds what all providers share of clusters that outlive the command that made them: the journal's record
// of a cluster, the process that keeps it, and how it is found and taken down.
package kept

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// Keys of a cluster's record in the journal, beside journal.DataProvider.
const (
	DataDir        = "dir"
	DataKept       = "kept"
	DataState      = "state"
	DataCause      = "cause"
	DataVersion    = "version"
	DataNodes      = "nodes"
	DataKubeconfig = "kubeconfig"
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
	// Provider made it.
	Provider string `json:"provider"`
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

// List returns this machine's clusters, oldest first: those kept and those of runs. An empty root stands for the
// journal's default place.
func List(root string) ([]Info, error) {
	j, err := journal.Open(root)
	if err != nil {
		return nil, err
	}
	records, err := j.List()
	var infos []Info
	for _, r := range records {
		if r.Kind != journal.KindCluster {
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

func toInfo(r journal.Record) (Info, error) {
	nodes, err := strconv.Atoi(r.Data[DataNodes])
	if err != nil {
		return Info{}, fmt.Errorf("journal record of cluster %s: nodes: %w", r.ID, err)
	}
	owner, err := r.Owner.State()
	if err != nil {
		return Info{}, fmt.Errorf("journal record of cluster %s: %w", r.ID, err)
	}
	info := Info{
		Name: r.ID, Provider: r.Data[journal.DataProvider], State: State(r.Data[DataState]), Kept: r.Data[DataKept] != "", Version: r.Data[DataVersion], Nodes: nodes,
		PID: r.Owner.PID, Began: r.Began, Kubeconfig: r.Data[DataKubeconfig], Dir: r.Data[DataDir], Cause: r.Data[DataCause],
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
