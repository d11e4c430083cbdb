package release

import (
	"context"
	"io"
	"time"

	"helm.sh/helm/v4/pkg/kube"
)

// guarded is Helm's client with panics turned into errors. Install and upgrade do their work in goroutines of Helm's
// own, where a panic would end the process. Create and Delete are left alone: the client starts goroutines for them in
// turn. It embeds the client, so that Helm still finds its kube.InterfaceWaitOptions, without which wait options are
// dropped.
type guarded struct {
	*kube.Client
	// strict reports that the API server checks fields itself.
	strict func() bool
	// ends is the operation's context. A wait begins when Helm has applied what it waits for, so what is left of the time
	// is found out then.
	ends context.Context
}

var (
	_ kube.Interface            = guarded{}
	_ kube.InterfaceWaitOptions = guarded{}
)

// Build implements kube.Interface. Validation here means that the client finds out whether the API server validates,
// and leaves it to the server if so. Each time that takes the parsing of the server's OpenAPI documents, half of all
// that an operation costs, so it is left out where the server's version has answered the question.
func (g guarded) Build(reader io.Reader, validate bool) (list kube.ResourceList, err error) {
	err = recovered(func() (err error) {
		list, err = g.Client.Build(reader, validate && !g.strict())
		return err
	})
	return list, err
}

// Update implements kube.Interface. Its result is never nil: Helm reads it even if the update failed.
func (g guarded) Update(original, target kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	result := &kube.Result{}
	err := recovered(func() error {
		r, err := g.Client.Update(original, target, options...)
		if r != nil {
			result = r
		}
		return err
	})
	return result, err
}

// GetWaiter implements kube.Interface.
func (g guarded) GetWaiter(strategy kube.WaitStrategy) (kube.Waiter, error) {
	return g.GetWaiterWithOptions(strategy)
}

// GetWaiterWithOptions implements kube.InterfaceWaitOptions.
func (g guarded) GetWaiterWithOptions(strategy kube.WaitStrategy, options ...kube.WaitOption) (kube.Waiter, error) {
	w, err := g.Client.GetWaiterWithOptions(strategy, options...)
	if err != nil {
		return nil, err
	}
	return guardedWaiter{next: w, ends: g.ends}, nil
}

// guardedWaiter is Helm's waiter, whose every wait ends a little before the operation's context does.
type guardedWaiter struct {
	next kube.Waiter
	ends context.Context
}

// Wait implements kube.Waiter.
func (w guardedWaiter) Wait(resources kube.ResourceList, timeout time.Duration) error {
	return recovered(func() error { return w.next.Wait(resources, cut(w.ends, timeout)) })
}

// WaitWithJobs implements kube.Waiter.
func (w guardedWaiter) WaitWithJobs(resources kube.ResourceList, timeout time.Duration) error {
	return recovered(func() error { return w.next.WaitWithJobs(resources, cut(w.ends, timeout)) })
}

// WaitForDelete implements kube.Waiter.
func (w guardedWaiter) WaitForDelete(resources kube.ResourceList, timeout time.Duration) error {
	return recovered(func() error { return w.next.WaitForDelete(resources, cut(w.ends, timeout)) })
}

// WatchUntilReady implements kube.Waiter.
func (w guardedWaiter) WatchUntilReady(resources kube.ResourceList, timeout time.Duration) error {
	return recovered(func() error { return w.next.WatchUntilReady(resources, cut(w.ends, timeout)) })
}
