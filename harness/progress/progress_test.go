package progress_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/verdict"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play reports a small run. look is called at moments worth looking at.
func play(r progress.Reporter, look func(moment string)) {
	run := progress.For(r, "")
	run.WaitingFor("reading scenarios and their charts")
	time.Sleep(1250 * time.Millisecond)
	look("reading")
	run.Started(3)
	time.Sleep(100 * time.Millisecond)
	look("started")
	booted := run.Phase("cluster")
	run.WaitingFor("starting etcd and kube-apiserver")
	time.Sleep(1250 * time.Millisecond)
	look("booting")
	run.WaitingFor("waiting for 3 nodes")
	time.Sleep(1850 * time.Millisecond)
	booted()
	run.WaitingFor("Kubernetes v1.36.3 is ready")
	time.Sleep(130 * time.Millisecond) // looks are never at the moment of a redraw
	look("ready")

	clean, scaler := progress.For(r, "clean-rollback"), progress.For(r, "scaler-survives-rollback[forceConflicts=true]")
	clean.Started(3)
	scaler.Started(4)
	clean.StepStarted("v1", "install")
	scaler.StepStarted("v1", "install")
	time.Sleep(2050 * time.Millisecond)
	clean.WaitingFor("awaits Deployment/backend (Available: 1/2)")
	scaler.WaitingFor("awaits StatefulSet/db (Ready: 0/1)")
	time.Sleep(time.Second)
	look("two at once")
	clean.StepFinished("v1", 3050*time.Millisecond, verdict.Passed, "")
	clean.Finished(verdict.Variant{Status: verdict.Passed, Duration: 3100 * time.Millisecond})
	scaler.WaitingFor("awaits Deployment/backend (Available: 0/2)")
	time.Sleep(time.Second)
	look("one done")
	time.Sleep(5 * time.Second)
	scaler.WaitingFor("awaits Deployment/backend (Available: 1/2)")
	scaler.StepFinished("v1", 9050*time.Millisecond, verdict.Failed, "expected success, got the error:\n\x1b[31mcontext deadline exceeded")
	scaler.Finished(outcome().Variants[1])
	run.Say("kept clean-rollback: kubectl --kubeconfig=/dev/shm/rehearse-0123456789ab/kubeconfig -n rh-clean-rollback-abcdef-1 get all")
}

func outcome() verdict.Run {
	return verdict.Run{
		Status: verdict.Failed, Duration: 12_200 * time.Millisecond,
		Variants: []verdict.Variant{
			{Scenario: "clean-rollback", Status: verdict.Passed, Duration: 3100 * time.Millisecond},
			{
				Scenario: "scaler-survives-rollback", Variant: "forceConflicts=true", Status: verdict.Failed, Duration: 9100 * time.Millisecond,
				Verdicts: []verdict.Verdict{
					{Name: "v1", Kind: "step", Status: verdict.Failed, Message: "expected success, got the error:\n\x1b[31mcontext deadline exceeded", File: "scenarios/scaler.yaml", Line: 17},
					{Name: "back", Kind: "step", Status: verdict.Skipped, Message: "not reached: step v1 ended the run"},
					{Name: "the scaler owns replicas", Kind: "ownership", Status: verdict.Inconclusive, Message: "step back was not reached", File: "scenarios/scaler.yaml", Line: 24},
				},
			},
			{Scenario: "api-gone", Status: verdict.Errored, Reason: "cluster: kube-apiserver exited with status 1"},
		},
	}
}

func TestPlainGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := progress.Plain(&out)
		defer r.Close()
		play(r, func(string) {})
		run := outcome()
		run.CleanupErr = "namespace shop-1 is still Terminating"
		r.Finish(run, "reports/runs/1/report.html")
		golden(t, "plain.txt", out.Bytes())
	})
}

func TestLiveGolden(t *testing.T) {
	for _, test := range []struct {
		name          string
		columns, rows int
		colour        bool
	}{
		{name: "live", columns: 100, rows: 24},
		{name: "narrow", columns: 40, rows: 24},
		{name: "low", columns: 80, rows: 3},
		{name: "colour", columns: 100, rows: 24, colour: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var looks bytes.Buffer
				s := &screen{columns: test.columns}
				r := progress.Live(s, func() (int, int, error) { return test.columns, test.rows, nil }, test.colour)
				defer r.Close()
				look := func(moment string) {
					synctest.Wait()
					fmt.Fprintf(&looks, "== %s\n%s", moment, s.text())
				}
				play(r, look)
				look("all done")
				r.Finish(outcome(), "reports/runs/1/report.html")
				look("summary")
				golden(t, test.name+".txt", looks.Bytes())
			})
		})
	}
}

// A window that cannot be measured any more must not end the run.
func TestLiveWithoutSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{columns: 80}
		r := progress.Live(s, func() (int, int, error) { return 0, 0, errors.New("not a terminal") }, false)
		play(r, func(string) {})
		r.Close()
		r.Close()
		r.Finish(outcome(), "")
		if got := s.text(); bytes.Contains([]byte(got), []byte("⠋")) {
			t.Errorf("Close left live lines on the screen:\n%s", got)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var out safeBuffer
	for name, r := range map[string]progress.Reporter{
		"plain":   progress.Plain(&out),
		"live":    progress.Live(&out, func() (int, int, error) { return 80, 24, nil }, true),
		"discard": progress.Discard(),
	} {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				s := progress.For(r, fmt.Sprintf("%s-%d", name, i))
				s.Started(50)
				for j := range 50 {
					s.StepStarted(fmt.Sprint(j), "install")
					s.WaitingFor("something")
					s.StepFinished(fmt.Sprint(j), time.Second, verdict.Passed, "")
				}
				s.Finished(verdict.Variant{Status: verdict.Passed})
			})
		}
		wg.Wait()
		r.Finish(verdict.Run{}, "")
		r.Close()
		progress.For(r, "late").WaitingFor("nobody")
	}
}

func TestNewIsPlainWithoutATerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r := progress.New(file, func(string) string { return "" })
	progress.For(r, "v").Started(1)
	r.Close()
	got, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if want := "    0.0s  v: started, 1 step\n"; string(got) != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestForNil(t *testing.T) {
	t.Parallel()
	progress.For(nil, "v").WaitingFor("nothing")
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), run with -update if that is right:\n%s", file, diff)
	}
}
