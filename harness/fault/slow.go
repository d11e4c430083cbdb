package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/registry"
)

const (
	// maxStall is how long etcd may stand still: after 2 s the API server calls itself unready, and it is to be slow.
	maxStall = 1500 * time.Millisecond
	// mending bounds a call that lets etcd go on although the fault's context has ended.
	mending = 10 * time.Second
	// looks is how often it is measured how fast etcd is before it is slowed down.
	looks = 3
)

func slowEtcdEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "slowEtcd",
		Summary:  "Makes etcd answer late, by halting it again and again for a short time.",
		Example:  "name: busy-disk\nslowEtcd: {stall: 300ms, run: 100ms}\n",
		NewSpec:  func() any { return &v1alpha1.SlowEtcd{} },
		Validate: validated(checkSlow),
		Code: wide(func(s *v1alpha1.SlowEtcd) breaker {
			if s.Stall == nil || s.Run == nil { // gc knows no spec
				return &slowness{}
			}
			return &slowness{stall: s.Stall.Duration, run: s.Run.Duration}
		}),
	}
}

func checkSlow(s *v1alpha1.SlowEtcd) []registry.Problem {
	if s.Stall != nil && s.Stall.Duration > maxStall {
		return []registry.Problem{{Path: "stall", Message: fmt.Sprintf("is more than %s: the API server would call itself unready; use pauseAPIServer for that", maxStall)}}
	}
	return nil
}

// slowness is an etcd that stands still for a part of the time.
type slowness struct {
	stall, run time.Duration
	// usual is how long a read took before.
	usual time.Duration
}

func (f *slowness) available(_ context.Context, s Site) error {
	_, err := s.interruptible()
	return err
}

func (f *slowness) aim(context.Context, Site) (Aim, error) { return aimAtComponent("etcd"), nil }

// inject halts etcd once, so that the first request after it is held up.
func (f *slowness) inject(ctx context.Context, s *scene) error {
	c, err := s.interruptible()
	if err != nil {
		return err
	}
	for i := range looks {
		took, err := s.read(ctx)
		if err != nil {
			return fmt.Errorf("measure how fast etcd is: %w", err)
		}
		if i == 0 || took < f.usual {
			f.usual = took
		}
	}
	return f.halt(ctx, c)
}

// halt lets etcd stand still for a while. It goes on also if ctx ends.
func (f *slowness) halt(ctx context.Context, c cluster.Interruptible) error {
	if err := c.PauseEtcd(ctx); err != nil {
		return err
	}
	_ = pause(ctx, f.stall)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), mending)
	defer cancel()
	return c.ResumeEtcd(after)
}

func (f *slowness) hold(ctx context.Context, s *scene) error {
	c, err := s.interruptible()
	if err != nil {
		return err
	}
	for pause(ctx, f.run) == nil {
		if err := f.halt(ctx, c); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// propagated reads until a read is held up for at least half of the time that etcd stands still.
func (f *slowness) propagated(ctx context.Context, s *scene) error {
	for {
		took, err := s.read(ctx)
		if err != nil {
			return errors.Join(fmt.Errorf("read from etcd: %w", err), context.Cause(ctx))
		}
		if took >= f.stall/2 {
			s.fired(s.Targets[0], fmt.Sprintf("a read took %s, and %s before", took.Round(time.Millisecond), f.usual.Round(100*time.Microsecond)))
			return nil
		}
		if err := pause(ctx, f.run/4); err != nil {
			return fmt.Errorf("reads are not held up: the last one took %s: %w", took, err)
		}
	}
}

func (f *slowness) recover(ctx context.Context, s *scene) error {
	c, err := s.interruptible()
	if err != nil {
		return err
	}
	return c.ResumeEtcd(ctx)
}

func (f *slowness) recovered(ctx context.Context, s *scene) error {
	_, err := s.read(ctx)
	return err
}

// read reads one object as etcd has it, which the API server's cache has no part in, and returns how long that took.
func (s Site) read(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	_, err := s.Client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
	return time.Since(began), err
}
