package actor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
)

// tardy is an API server that lists the kind Widget from a point in time on.
type tardy struct {
	discovery.DiscoveryInterfaceWithContext
	from time.Time
}

func (d tardy) ServerGroupsAndResourcesWithContext(context.Context) ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	v1 := metav1.GroupVersionForDiscovery{GroupVersion: "example.com/v1", Version: "v1"}
	group := &metav1.APIGroup{Name: "example.com", Versions: []metav1.GroupVersionForDiscovery{v1}, PreferredVersion: v1}
	list := &metav1.APIResourceList{GroupVersion: "example.com/v1"}
	if !time.Now().Before(d.from) {
		list.APIResources = []metav1.APIResource{{Name: "widgets", Kind: "Widget", Namespaced: true}}
	}
	return []*metav1.APIGroup{group}, []*metav1.APIResourceList{list}, nil
}

func TestDiscoveryLag(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lag   time.Duration
		found bool
	}{
		"none":  {0, true},
		"some":  {discoveryLag / 2, true},
		"never": {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				k := &kinds{client: tardy{from: begin.Add(tc.lag)}}
				mapping, err := k.resolve(t.Context(), target{kind: "Widget"})
				took := time.Since(begin)
				switch {
				case tc.found && (err != nil || mapping.Resource.Resource != "widgets"):
					t.Errorf("got %v, %v", mapping, err)
				case !tc.found && !errors.Is(err, ErrKind):
					t.Errorf("error %v, want ErrKind", err)
				case took < min(tc.lag, discoveryLag), took > min(tc.lag, discoveryLag)+discoveryPoll:
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestLookingForKindEndsWithStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the step's deadline has passed")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		k := &kinds{client: tardy{from: time.Now().Add(time.Hour)}}
		_, err := k.resolve(ctx, target{kind: "Widget"})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), "kind Widget") {
			t.Errorf("error %v", err)
		}
	})
}
