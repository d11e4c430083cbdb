package kept

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"rehearse.dev/rehearse/harness/cluster"
)

// keeperFD is the descriptor on which a keeper tells the process that spawned it how far it is.
const keeperFD = 3

// keeperMessage is a line on that descriptor. The last one is Ready or Error.
type keeperMessage struct {
	Phase string `json:"phase,omitempty"`
	Ready *Info  `json:"ready,omitempty"`
	Error string `json:"error,omitempty"`
}

// Spawn runs command, which must come to call Serve, as a process of its own that outlives this one, and waits
// until its cluster is ready. If ctx ends first, the process is ended and has removed all when Spawn returns.
func Spawn(ctx context.Context, command []string, progress func(string)) (Info, error) {
	messages, theirs, err := os.Pipe()
	if err != nil {
		return Info{}, fmt.Errorf("spawn a keeper: %w", err)
	}
	defer func() { _ = messages.Close() }()
	stderr, err := anonymousFile()
	if err != nil {
		return Info{}, errors.Join(fmt.Errorf("spawn a keeper: %w", err), theirs.Close())
	}
	defer func() { _ = stderr.Close() }()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{theirs}
	// A session of its own: closing the terminal does not end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return Info{}, fmt.Errorf("spawn a keeper: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	info, err := follow(messages, progress)
	untold := stop()
	if err == nil && ctx.Err() == nil {
		return info, cmd.Process.Release()
	}
	if untold { // a second signal would end it in the middle of its clean-up
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return Info{}, fmt.Errorf("spawn a keeper: %w", context.Cause(ctx))
	case errors.Is(err, errSilent):
		return Info{}, fmt.Errorf("spawn a keeper: %w: %w: %s", err, waitErr, readBack(stderr))
	}
	return Info{}, err
}

// errSilent means that a keeper ended without a word.
var errSilent = errors.New("it ended before the cluster was ready")

// follow reads messages up to the last.
func follow(messages io.Reader, progress func(string)) (Info, error) {
	decoder := json.NewDecoder(messages)
	for {
		var m keeperMessage
		if err := decoder.Decode(&m); err != nil {
			return Info{}, errSilent
		}
		switch {
		case m.Error != "":
			return Info{}, errors.New(m.Error)
		case m.Ready != nil:
			return *m.Ready, nil
		}
		progress(m.Phase)
	}
}

// Serve has a keeper keep a cluster until ctx ends, and reports to the process that spawned this one.
func Serve(ctx context.Context, k Keeper, spec cluster.Spec) error {
	file := os.NewFile(keeperFD, "keeper")
	encoder := json.NewEncoder(file)
	// A reader that has gone away is no reason to give up the cluster.
	send := func(m keeperMessage) { _ = encoder.Encode(m) }
	spec.Progress = func(phase string) { send(keeperMessage{Phase: phase}) }
	err := k.Keep(ctx, spec, func(info Info) {
		send(keeperMessage{Ready: &info})
		_ = file.Close()
	})
	if err != nil {
		send(keeperMessage{Error: err.Error()})
	}
	return err
}

// anonymousFile returns a file without a name, so that nothing is left of it once it is closed. It is what a keeper may
// write its last words to without anybody having to read them.
func anonymousFile() (*os.File, error) {
	file, err := os.CreateTemp("", "rehearse-keeper-")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// readBack returns the beginning of what a file holds.
func readBack(file *os.File) string {
	content := make([]byte, 8<<10)
	n, _ := file.ReadAt(content, 0)
	return strings.TrimSpace(string(content[:n]))
}
