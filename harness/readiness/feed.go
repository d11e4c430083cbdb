package readiness

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
)

// returning is how soon a watch that broke is tried again. An informer, which cannot be told, takes up to a minute after
// an outage of seconds; it would be the harness then that holds the pods back.
func returning() *wait.Backoff {
	return &wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 1000, Cap: time.Second}
}

// feed is the pods of a namespace as they come: a store to a reflector, which tells the controller.
type feed struct {
	added   func(*corev1.Pod)
	updated func(*corev1.Pod)
	deleted func(types.UID)

	mu    sync.Mutex
	known map[types.UID]bool
	// synced is closed once all pods are known that were there at the start.
	synced   chan struct{}
	syncOnce sync.Once
}

var _ cache.ReflectorStore = (*feed)(nil)

// Add implements cache.ReflectorStore.
func (f *feed) Add(o any) error { return f.Update(o) }

// Update implements cache.ReflectorStore.
func (f *feed) Update(o any) error {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("a %T is no pod", o)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(pod)
	return nil
}

func (f *feed) tell(pod *corev1.Pod) {
	if f.known[pod.UID] {
		f.updated(pod)
		return
	}
	f.known[pod.UID] = true
	f.added(pod)
}

// Delete implements cache.ReflectorStore.
func (f *feed) Delete(o any) error {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("a %T is no pod", o)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, pod.UID)
	f.deleted(pod.UID)
	return nil
}

// Replace implements cache.ReflectorStore: it is told of all pods at the start, and after a break that could not be resumed.
func (f *feed) Replace(all []any, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	listed := map[types.UID]bool{}
	for _, o := range all {
		if pod, ok := o.(*corev1.Pod); ok {
			listed[pod.UID] = true
			f.tell(pod)
		}
	}
	for uid := range f.known {
		if !listed[uid] {
			delete(f.known, uid)
			f.deleted(uid)
		}
	}
	f.syncOnce.Do(func() { close(f.synced) })
	return nil
}

// Resync implements cache.ReflectorStore.
func (f *feed) Resync() error { return nil }

// watch feeds the controller until running ends. It returns once all pods are known that are there.
func (c *Controller) watch(ctx, running context.Context) error {
	f := &feed{
		added:   func(pod *corev1.Pod) { c.added(running, pod) },
		updated: c.updated, deleted: c.stop,
		known: map[types.UID]bool{}, synced: make(chan struct{}),
	}
	pods := cache.NewListWatchFromClient(c.client.CoreV1().RESTClient(), "pods", c.rules.Namespace, fields.Everything())
	reflector := cache.NewReflectorWithOptions(pods, &corev1.Pod{}, f, cache.ReflectorOptions{Backoff: returning()})
	c.wg.Go(func() { reflector.RunWithContext(running) })
	select {
	case <-f.synced:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("watch the pods of namespace %s: %w", c.rules.Namespace, context.Cause(ctx))
	}
}
