package runner

import (
	"context"
	"fmt"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/progress"
)

// restarts tells of the components that the cluster has started again since the stage was set up. The zero value is of a
// cluster that never does.
type restarts struct {
	cluster cluster.Resilient
	rec     *evidence.Recorder
	hide    func(string) string
	tell    progress.Scope
	// told is how many are told, or came before the stage.
	told int
}

func (s *stage) watchRestarts(context.Context) error {
	resilient, ok := s.arena.cluster.(cluster.Resilient)
	if !ok {
		return nil
	}
	before, err := resilient.Restarts()
	s.restarts = restarts{cluster: resilient, rec: s.rec, hide: s.redactor.Text, tell: s.tell, told: len(before)}
	return err
}

// note records those that are new, in the step under way, and tells the user.
func (r *restarts) note() {
	if r.cluster == nil {
		return
	}
	all, err := r.cluster.Restarts()
	if err != nil {
		r.tell.Say(err.Error())
		return
	}
	for _, restart := range all[min(r.told, len(all)):] {
		r.rec.Record(evidence.Event{Restart: &evidence.Restart{Component: restart.Component, Reason: restart.Reason}})
		r.tell.Say(fmt.Sprintf("note: the cluster's %s was started again: %s", restart.Component, r.hide(restart.Reason)))
	}
	r.told = len(all)
}
