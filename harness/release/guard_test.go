package release

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/version"
)

// panicking is a waiter of which every call panics.
type panicking struct{}

func (panicking) Wait(kube.ResourceList, time.Duration) error            { panic("boom") }
func (panicking) WaitWithJobs(kube.ResourceList, time.Duration) error    { panic("boom") }
func (panicking) WaitForDelete(kube.ResourceList, time.Duration) error   { panic("boom") }
func (panicking) WatchUntilReady(kube.ResourceList, time.Duration) error { panic("boom") }

func TestGuardTurnsPanicsIntoErrors(t *testing.T) {
	t.Parallel()
	broken := guarded{strict: func() bool { return true }} // its client is nil
	w := guardedWaiter{next: panicking{}, ends: t.Context()}
	for name, call := range map[string]func() error{
		"Build": func() error {
			_, err := broken.Build(strings.NewReader(""), true)
			return err
		},
		"Update": func() error {
			res, err := broken.Update(nil, nil, kube.ClientUpdateOption(nil))
			if res == nil {
				t.Error("the result of Update is nil, which Helm would read from")
			}
			return err
		},
		"Wait":            func() error { return w.Wait(nil, 0) },
		"WaitWithJobs":    func() error { return w.WaitWithJobs(nil, 0) },
		"WaitForDelete":   func() error { return w.WaitForDelete(nil, 0) },
		"WatchUntilReady": func() error { return w.WatchUntilReady(nil, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := call(); !errors.Is(err, ErrPanic) {
				t.Errorf("got error %v, want ErrPanic", err)
			}
		})
	}
}

// noting is a waiter that notes the timeouts it is given.
type noting struct{ timeouts *[]time.Duration }

func (n noting) note(timeout time.Duration) error {
	*n.timeouts = append(*n.timeouts, timeout)
	return nil
}

func (n noting) Wait(_ kube.ResourceList, timeout time.Duration) error { return n.note(timeout) }

func (n noting) WaitWithJobs(_ kube.ResourceList, timeout time.Duration) error {
	return n.note(timeout)
}

func (n noting) WaitForDelete(_ kube.ResourceList, timeout time.Duration) error {
	return n.note(timeout)
}

func (n noting) WatchUntilReady(_ kube.ResourceList, timeout time.Duration) error {
	return n.note(timeout)
}

// Helm waits several times in an operation, each time for as long as it was given: a hook's time is not the workloads'.
func TestWaitsEndBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var got []time.Duration
		w := guardedWaiter{next: noting{&got}, ends: ctx}
		for _, wait := range []func(kube.ResourceList, time.Duration) error{w.Wait, w.WaitWithJobs, w.WaitForDelete, w.WatchUntilReady} {
			if err := wait(nil, 50*time.Second); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
		}
		if want := []time.Duration{50 * time.Second, 48 * time.Second, 38 * time.Second, 28 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestValidatesFields(t *testing.T) {
	t.Parallel()
	for gitVersion, want := range map[string]bool{
		"v1.36.3": true, "v1.27.0": true, "v1.27.3-gke.100": true, "v2.0.0": true, "v1.26.15": false, "": false, "strange": false,
	} {
		t.Run(gitVersion, func(t *testing.T) {
			t.Parallel()
			if got := validatesFields(&version.Info{GitVersion: gitVersion}); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
