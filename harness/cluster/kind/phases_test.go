package kind

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kinderrors "sigs.k8s.io/kind/pkg/errors"
	"sigs.k8s.io/kind/pkg/exec"
)

func TestPhases(t *testing.T) {
	t.Parallel()
	var said []string
	var log bytes.Buffer
	p := newPhases(func(phase string) { said = append(said, phase) }, &log)
	p.V(0).Infof("Creating cluster %q ...\n", "c")
	p.V(0).Infof(" • %s  ...\n", "Ensuring node image (kindest/node:v1.37.0) 🖼️")
	p.V(0).Infof(" ✓ %s\n", "Ensuring node image (kindest/node:v1.37.0) 🖼️")
	p.V(0).Infof(" • %s  ...\n", "Preparing nodes 📦 📦 📦 ")
	p.V(3).Info("detail")
	p.Warnf("odd: %d", 1)
	p.Error("bad")
	p.V(0).Infof(" ✗ %s\n", "Preparing nodes 📦 📦 📦 ")
	p.V(0).Info("")
	if diff := cmp.Diff([]string{"ensuring node image (kindest/node:v1.37.0)", "preparing nodes"}, said); diff != "" {
		t.Error(diff)
	}
	if p.failure() != "preparing nodes" {
		t.Errorf("failed: %q", p.failure())
	}
	for _, line := range []string{"detail\n", "warning: odd: 1\n", "error: bad\n", "Creating cluster \"c\" ...\n"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log lacks %q: %s", line, &log)
		}
	}
	select {
	case <-p.running:
		t.Error("nodes are said to run before the control plane starts")
	default:
	}
	p.V(0).Infof(" • %s  ...\n", "Starting control-plane 🕹️")
	select {
	case <-p.running:
	default:
		t.Error("nodes are not said to run when the control plane starts")
	}
	p.nodesRun() // again, as kind's call ends
	p.close()
	before := log.Len()
	p.V(0).Infof(" • %s  ...\n", "Too late")
	if len(said) != 3 || log.Len() != before {
		t.Errorf("said after its end: %q", said)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	run := func(output string, command ...string) error {
		return kinderrors.Wrap(kinderrors.WithStack(&exec.RunError{Command: command, Output: []byte(output), Inner: errors.New("exit status 1")}), "failed")
	}
	kubeadm := explainCreate(run(strings.Repeat("x\n", 20)+"the kubelet is not healthy\n", "docker", "exec", "c", "kubeadm"), "starting control-plane")
	for _, says := range []string{"starting control-plane: ", "the kubelet is not healthy", "exit status 1"} {
		if !strings.Contains(kubeadm.Error(), says) {
			t.Errorf("%v does not say %q", kubeadm, says)
		}
	}
	if lines := strings.Count(kubeadm.Error(), "\n"); lines != 15 {
		t.Errorf("%d lines of output", lines)
	}
	if explainCreate(nil, "x") != nil {
		t.Error("no error became one")
	}
	for output, want := range map[string]bool{
		"docker: driver failed: Bind for 127.0.0.1:33001 failed: port is already allocated": true,
		"listen tcp4 127.0.0.1:33001: bind: address already in use":                         true,
		"docker: Error response from daemon: network kind not found.":                       true,
		"docker: Error response from daemon: no such image":                                 false,
	} {
		if got := passing(run(output, "docker", "run")); got != want {
			t.Errorf("%q passes: %v", output, got)
		}
	}
	if passing(errors.New("port is already allocated")) {
		t.Error("an error that is no command's passes")
	}
}

func TestTolerate(t *testing.T) {
	t.Parallel()
	run := func(output string, command ...string) error {
		return kinderrors.WithStack(&exec.RunError{Command: command, Output: []byte(output), Inner: errors.New("exit status 1")})
	}
	paused := run("Error response from daemon: Container c is paused, unpause the container before exec", "docker", "exec", "c", "cat")
	crictl := run("executable file not found", "docker", "exec", "c", "crictl", "images")
	other := run("no space left", "docker", "exec", "c", "tar")
	if err := tolerate(kinderrors.NewAggregate([]error{paused, kinderrors.NewAggregate([]error{crictl, paused})})); err != nil {
		t.Errorf("not tolerated: %v", err)
	}
	for _, err := range []error{other, kinderrors.NewAggregate([]error{paused, kinderrors.NewAggregate([]error{other})})} {
		if tolerate(err) == nil {
			t.Errorf("tolerated: %v", err)
		}
	}
	if tolerate(nil) != nil {
		t.Error("no error became one")
	}
}
