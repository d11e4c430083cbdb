package progress_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/verdict"
)

// TestPlainGoesOn: a wait in which nothing changes, which the runner tells every second, is told twice a minute.
func TestPlainGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := progress.Plain(&out)
		defer r.Close()
		v := progress.For(r, "slow")
		v.StepStarted("v1", "install")
		for range 70 {
			time.Sleep(time.Second)
			v.WaitingFor("awaits Deployment/backend (Available: 1/2)")
		}
		v.WaitingFor("awaits Deployment/backend (Available: 2/2)")
		time.Sleep(40 * time.Second) // in which it waits for nothing
		v.WaitingFor("awaits Deployment/backend (Available: 1/2)")
		want := `    0.0s  slow: step v1 (install)
    1.0s  slow: awaits Deployment/backend (Available: 1/2)
   31.0s  slow: still, after 30.0s: awaits Deployment/backend (Available: 1/2)
   61.0s  slow: still, after 1m0s: awaits Deployment/backend (Available: 1/2)
   70.0s  slow: awaits Deployment/backend (Available: 2/2)
  110.0s  slow: awaits Deployment/backend (Available: 1/2)
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestLiveClusterReady: that a cluster is ready is no more shown as under way once its variant goes on; the boot of another
// variant's still is.
func TestLiveClusterReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{columns: 80}
		r := progress.Live(s, func() (int, int, error) { return 80, 24, nil }, false)
		defer r.Close()
		run, a, b := progress.For(r, ""), progress.For(r, "a"), progress.For(r, "b")
		shows := func(text string, want bool) {
			t.Helper()
			time.Sleep(150 * time.Millisecond)
			if got := s.text(); strings.Contains(got, text) != want {
				t.Errorf("shows %q: %t, want %t\n%s", text, !want, want, got)
			}
		}
		bootedA, bootedB := a.Phase("cluster"), b.Phase("cluster")
		run.WaitingFor("starting etcd")
		bootedA()
		shows("starting etcd", true)
		run.WaitingFor("Kubernetes is ready")
		shows("Kubernetes is ready", true)
		bootedB()
		b.Phase("set-up")
		shows("Kubernetes is ready", false)
		shows("set-up", true)
	})
}

// TestAfterTheSummary: what is said of a kept run comes below its summary, which is told once; what clean-up left comes last.
func TestAfterTheSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		terminal := &screen{columns: 80}
		for name, test := range map[string]struct {
			reporter progress.Reporter
			text     func() string
		}{
			"plain": {progress.Plain(&lines), lines.String},
			"live":  {progress.Live(terminal, func() (int, int, error) { return 80, 24, nil }, false), terminal.text},
		} {
			run := progress.For(test.reporter, "")
			run.WaitingFor("an earlier thing")
			test.reporter.Finish(outcome(), "report.html")
			run.Say("kept until Ctrl-C")
			time.Sleep(time.Second)
			for range 2 {
				run.WaitingFor("cleaning up")
			}
			again := outcome()
			again.CleanupErr = "a namespace stays"
			test.reporter.Finish(again, "report.html")
			test.reporter.Close()
			all := test.text()
			place := 0
			for _, want := range []string{"report: report.html\n", "kept until Ctrl-C\n", "cleaning up\n", "clean-up is incomplete: a namespace stays\n"} {
				at := strings.Index(all, want)
				if at < place || strings.Count(all, want) != 1 {
					t.Errorf("%s: %q is not there once, in its place:\n%s", name, want, all)
				}
				place = at
			}
			if strings.Count(all, fmt.Sprintf("%d failed", 1)) != 1 {
				t.Errorf("%s: the summary is told more than once:\n%s", name, all)
			}
		}
	})
}

// TestFinishAfterClose: a display that was closed tells nothing more.
func TestFinishAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{columns: 80}
		r := progress.Live(s, func() (int, int, error) { return 80, 24, nil }, false)
		r.Close()
		r.Finish(verdict.Run{CleanupErr: "a namespace stays"}, "")
		progress.For(r, "").Say("late")
		if got := s.text(); got != "" {
			t.Errorf("shows %q", got)
		}
	})
}
