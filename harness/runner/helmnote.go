package runner

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/scenario"
)

// noteHome writes down the home of the stage's helm commands before it is made. On a cluster that goes with the run it goes
// with the cluster.
func (s *stage) noteHome() error {
	if !s.arena.kept || s.plan.Scenario.Spec.Release.Driver != scenario.DriverCLI {
		return nil
	}
	var err error
	s.home, err = s.journal.Begin(journal.KindDir, s.arena.cluster.Name()+".helm-cli."+s.scope.Namespace, map[string]string{journal.DataPath: s.helmHome()})
	return err
}

// removeHome removes the home of the stage's helm commands.
func (s *stage) removeHome() error {
	if err := os.RemoveAll(s.helmHome()); err != nil {
		return leftBehind(fmt.Errorf("removing the home of helm: %w", err))
	}
	if s.home == nil {
		return nil
	}
	return s.home.Done()
}

// noteProcess writes down a helm process before it is started. It ends with this one, by its lifeline; the note is for the
// case that whoever ends this one ends the lifeline's guard too.
func (s *stage) noteProcess() (release.ProcessNote, error) {
	id := s.scope.Namespace + "." + strings.ToLower(rand.Text()[:6])
	entry, err := s.journal.Begin(journal.KindProcess, id, nil)
	return processNote{entry}, asHarness(err)
}

// processNote notes a process in the journal. Its errors are the harness's and no outcome of an operation.
type processNote struct{ entry *journal.Entry }

var _ release.ProcessNote = processNote{}

// Started implements release.ProcessNote.
func (n processNote) Started(pid int) error {
	process, err := journal.Lookup(pid)
	if errors.Is(err, syscall.ESRCH) {
		return nil // it has ended already
	}
	if err != nil {
		return asHarness(fmt.Errorf("noting helm's process: %w", err))
	}
	return asHarness(n.entry.Update(map[string]string{journal.DataProcess: process.Text()}))
}

// Gone implements release.ProcessNote.
func (n processNote) Gone() error { return asHarness(n.entry.Done()) }

func asHarness(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrHarness, err)
}
