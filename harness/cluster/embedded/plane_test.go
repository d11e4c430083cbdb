package embedded

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/eventually"
)

// TestControlPlane breaks the API server and etcd of a cluster of this process, one after another. The scheduler may end of
// that; the API server may not.
func TestControlPlane(t *testing.T) {
	t.Parallel()
	c := boot(t, newProvider(t), cluster.Spec{Nodes: 1})
	interrupt(t, c, c.PIDs)
	loseScheduler(t, c, c.PIDs)
	select {
	case <-c.Died():
		t.Fatalf("what was asked for is taken for a death: %v", c.Cause())
	default:
	}
	must(t, syscall.Kill(c.PIDs()[apiserver], syscall.SIGKILL))
	<-c.Died()
	if cause := c.Cause(); cause == nil || !strings.Contains(cause.Error(), apiserver) {
		t.Errorf("it died of %v, want the API server's end", cause)
	}
}

// TestKeptControlPlane does the same to a cluster of another process, which has to start the API server again.
func TestKeptControlPlane(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	if _, err := spawn(t, t.Context(), p, "plane"); err != nil {
		t.Fatal(err)
	}
	c, err := p.Attach("plane")
	must(t, err)
	interrupt(t, c.(cluster.Interruptible), func() map[string]int { return pids(t, p, "plane") })
	if info, err := p.find("plane"); err != nil || info.State != Ready {
		t.Errorf("it is listed as %s, %v", info.State, err)
	}
	loseScheduler(t, c.(cluster.Resilient), func() map[string]int { return pids(t, p, "plane") })
	// A kill that was cut short before it came to the process is brought to its end.
	before := pids(t, p, "plane")[apiserver]
	pl := c.(*attached).plane()
	process, err := pl.find(apiserver)
	must(t, err)
	must(t, pl.order(apiserver, process))
	must(t, pl.start(t.Context(), apiserver))
	if after := pids(t, p, "plane")[apiserver]; after == before {
		t.Error("the API server that was to be killed still runs")
	}
	must(t, c.(cluster.Interruptible).KillAPIServer(t.Context()))
	must(t, p.Down(t.Context(), "plane")) // one that is down ends with the others
	if _, err := os.Stat(pl.dir); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
}

// interrupt breaks and mends each part of a control plane.
func interrupt(t *testing.T, c cluster.Interruptible, pids func() map[string]int) {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	must(t, err)
	read := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := client.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		return err
	}
	ctx := t.Context()
	for _, part := range []struct {
		name       string
		spoil, end func(context.Context) error
	}{
		{"a paused API server", c.PauseAPIServer, c.ResumeAPIServer},
		{"a killed API server", c.KillAPIServer, c.StartAPIServer},
		{"a paused etcd", c.PauseEtcd, c.ResumeEtcd},
	} {
		must(t, part.end(ctx)) // there is nothing to mend
		was := pids()
		must(t, part.spoil(ctx))
		must(t, part.spoil(ctx)) // as after a failed injection that is tried again
		if err := read(300 * time.Millisecond); err == nil {
			t.Errorf("%s answers", part.name)
		}
		must(t, part.end(ctx))
		if err := read(5 * time.Second); err != nil {
			t.Errorf("%s does not answer again: %v", part.name, err)
		}
		killed := strings.Contains(part.name, "killed")
		if now := pids(); killed == (now[apiserver] == was[apiserver]) || now[etcd] != was[etcd] {
			t.Errorf("%s: processes %v became %v", part.name, was, now)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(c.KubeconfigPath()), apiserver+".*")); len(left) > 0 {
		for _, path := range left {
			if strings.HasSuffix(path, downSuffix) || strings.HasSuffix(path, upSuffix) || strings.HasSuffix(path, ".new") {
				t.Errorf("%s was left", path)
			}
		}
	}
}

// loseScheduler ends the scheduler of a cluster that has just had an outage. It is started again, and works.
func loseScheduler(t *testing.T, c cluster.Resilient, pids func() map[string]int) {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	must(t, err)
	before, err := c.Restarts() // on a busy machine there may be some
	must(t, err)
	was := pids()[scheduler]
	must(t, syscall.Kill(was, syscall.SIGKILL))
	eventually.Holds(t, "the scheduler runs again", func() bool { return pids()[scheduler] != was })
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "after-the-outage"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "img:1"}}},
	}
	_, err = client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
	must(t, err)
	podLab{client, "default"}.await(t, "scheduled and Ready", isReady(corev1.ConditionTrue))
	after, err := c.Restarts()
	must(t, err)
	for _, r := range after[len(before):] {
		if r.Component == scheduler && strings.Contains(r.Reason, "signal: killed") && strings.Contains(r.Reason, "had been away on purpose") {
			return
		}
	}
	t.Errorf("the restart is not told: %v became %v", before, after)
}
