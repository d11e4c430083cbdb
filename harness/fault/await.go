package fault

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// until watches until check finds nothing amiss. Its error says what check found amiss last.
func until(ctx context.Context, open func(context.Context) (watch.Interface, error), check func(context.Context) (amiss string, err error)) error {
	for {
		w, err := open(ctx)
		if err != nil {
			return err
		}
		amiss, err := checkOnEvents(ctx, w, check)
		w.Stop()
		if err != nil || amiss == "" {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", amiss, context.Cause(ctx))
		}
	}
}

// checkOnEvents checks at once and after each event until nothing is amiss, the watch breaks or ctx ends.
func checkOnEvents(ctx context.Context, w watch.Interface, check func(context.Context) (string, error)) (string, error) {
	last := "nothing was seen yet"
	for {
		amiss, err := check(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return last, nil
		case err != nil || amiss == "":
			return amiss, err
		}
		last = amiss
		select {
		case <-ctx.Done():
			return last, nil
		case _, open := <-w.ResultChan():
			if !open {
				return last, nil
			}
		}
		for waiting := true; waiting; { // what has come by now is checked at once
			select {
			case _, waiting = <-w.ResultChan():
			default:
				waiting = false
			}
		}
	}
}

// watchNode opens a watch of one node.
func (s Site) watchNode(name string) func(context.Context) (watch.Interface, error) {
	return func(ctx context.Context) (watch.Interface, error) {
		return s.Client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	}
}

// watchPods opens a watch of the namespace's pods.
func (s Site) watchPods(ctx context.Context) (watch.Interface, error) {
	return s.Client.CoreV1().Pods(s.Namespace).Watch(ctx, metav1.ListOptions{})
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
