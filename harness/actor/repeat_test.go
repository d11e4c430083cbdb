package actor_test

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// gitops forces its greeting into the ConfigMap again and again.
func gitops(t *testing.T) v1alpha1.Actor {
	a := does("gitops", &v1alpha1.Apply{
		Manifest: fields(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: shop-config}, data: {greeting: from git}}`),
		Force:    true,
	})
	a.Every = &metav1.Duration{Duration: 10 * time.Millisecond}
	return a
}

// await waits for this many more writes.
func (s *scene) await(writes int) {
	s.Helper()
	for range writes {
		select {
		case <-s.sink.news:
		case <-s.Context().Done():
			s.Fatal("the test ended before the actor wrote")
		case <-time.After(20 * time.Second):
			s.Fatal("the actor does not write")
		}
	}
}

func (s *scene) greeting() any {
	s.Helper()
	return s.get(configMaps, "shop-config").Object["data"].(map[string]any)["greeting"]
}

func (s *scene) greet(with string) {
	s.Helper()
	patch := []byte(`{"data":{"greeting":"` + with + `"}}`)
	if _, err := s.resource(configMaps).Patch(s.Context(), "shop-config", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		s.Fatal(err)
	}
}

func TestRepeatUntilStopped(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.create(configMaps, configMap)
	troupe := s.troupe(gitops(t))
	for range 2 {
		s.act(troupe, "gitops")
		if err := troupe.Act(t.Context(), "gitops"); !errors.Is(err, actor.ErrRepeating) {
			t.Errorf("acting again: %v", err)
		}
		s.await(3)
		s.greet("by hand")
		s.await(2) // the first of them may have been under way
		if got := s.greeting(); got != "from git" {
			t.Errorf("the greeting is %v while the actor repeats", got)
		}
		if err := troupe.Stop("gitops"); err != nil {
			t.Fatal(err)
		}
		writes := len(s.sink.all())
		s.greet("by hand")
		if err := troupe.Stop("gitops"); !errors.Is(err, actor.ErrNotRepeating) {
			t.Errorf("stopping again: %v", err)
		}
		if got := s.greeting(); got != "by hand" || len(s.sink.all()) != writes {
			t.Errorf("the greeting is %v once the actor has been stopped; %d more writes", got, len(s.sink.all())-writes)
		}
	}
	for _, w := range s.sink.all() {
		if w.Error != "" || w.Verb != "apply" || w.Ref.UID == "" {
			t.Errorf("recorded %+v", w)
		}
	}
}

// The step that set an actor off does not bound its later writes, nor does the failure of the first one end them.
func TestRepeatAfterFirstFailure(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	hpa := does("hpa", &v1alpha1.Scale{Workload: "Deployment/backend", Replicas: 4})
	hpa.Every = &metav1.Duration{Duration: 10 * time.Millisecond}
	troupe := s.troupe(hpa)
	if err := troupe.Act(t.Context(), "hpa"); !apierrors.IsNotFound(err) {
		t.Fatalf("the first write: %v", err)
	}
	s.await(2)
	s.create(deployments, deployment)
	for s.get(deployments, "backend").Object["spec"].(map[string]any)["replicas"] != int64(4) {
		s.await(1)
	}
	troupe.Close()
	writes := s.sink.all()
	if first, last := writes[0], writes[len(writes)-1]; first.Error == "" || first.Ref.UID != "" || last.Error != "" {
		t.Errorf("recorded first %+v, last %+v", first, last)
	}
	if err := troupe.Act(t.Context(), "hpa"); !errors.Is(err, actor.ErrClosed) {
		t.Errorf("acting after Close: %v", err)
	}
}
