package actor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/ref"
)

func TestWritesThatFail(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec any
		// is tells the error's cause.
		is func(error) bool
		// says is what the error must say.
		says string
	}{
		"no such object": {
			&v1alpha1.Edit{Object: "ConfigMap/absent", Merge: fields(t, `{data: {a: b}}`)},
			apierrors.IsNotFound, `actor someone: edit ConfigMap/absent: configmaps "absent" not found`,
		},
		"nothing to delete": {
			&v1alpha1.Delete{Object: "ConfigMap/absent"},
			apierrors.IsNotFound, `configmaps "absent" not found`,
		},
		"there already": {
			&v1alpha1.Create{Manifest: fields(t, configMap)},
			apierrors.IsAlreadyExists, `configmaps "shop-config" already exists`,
		},
		"conflict": {
			&v1alpha1.Apply{Manifest: fields(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: shop-config}, data: {greeting: from git}}`)},
			apierrors.IsConflict, `conflict with "setup" using v1: .data.greeting`,
		},
		"no scale": {
			&v1alpha1.Scale{Workload: "ConfigMap/shop-config", Replicas: 2},
			apierrors.IsNotFound, "ConfigMap has no scale subresource",
		},
		"no such subresource": {
			&v1alpha1.Patch{Object: "ConfigMap/shop-config", Type: "merge", Subresource: "status", Patch: fields(t, `{status: {}}`)},
			apierrors.IsNotFound, "ConfigMap has no subresource status",
		},
		"unknown kind": {
			&v1alpha1.Delete{Object: "Unheard/of"},
			isKind, "its CRD must be established",
		},
		"unknown version": {
			&v1alpha1.Create{Manifest: fields(t, `{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: x}}`)},
			isKind, `no matches for kind "Deployment" in version "apps/v1beta1"`,
		},
		"cluster-scoped": {
			&v1alpha1.Delete{Object: "ClusterRole/home/admin"},
			nil, "ClusterRole is cluster-scoped; leave out the namespace home",
		},
		"invalid": {
			&v1alpha1.Patch{Object: "ConfigMap/shop-config", Type: "json", Patch: []any{fields(t, `{op: remove, path: /data/nothing}`)}},
			apierrors.IsInvalid, "what is tested, replaced or removed must be there",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.create(configMaps, configMap)
			err := s.troupe(does("someone", tc.spec)).Act(t.Context(), "someone")
			if err == nil || !strings.Contains(err.Error(), tc.says) || tc.is != nil && !tc.is(err) {
				t.Errorf("error %v\nwant one that says %q", err, tc.says)
			}
			w := s.sink.all()
			if len(w) != 1 || w[0].Error == "" || !strings.HasSuffix(err.Error(), ": "+w[0].Error) {
				t.Errorf("recorded %+v, returned %v", w, err)
			}
		})
	}
}

func isKind(err error) bool { return errors.Is(err, actor.ErrKind) }

func TestUnknownActor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	troupe := s.troupe(does("scaler", &v1alpha1.Scale{Workload: "Deployment/backend"}))
	for _, err := range []error{troupe.Act(t.Context(), "scalar"), troupe.Stop("scalar")} {
		if !errors.Is(err, actor.ErrUnknown) || !strings.Contains(err.Error(), `did you mean "scaler"?`) {
			t.Errorf("error %v", err)
		}
	}
	if err := troupe.Stop("scaler"); !errors.Is(err, actor.ErrNotRepeating) {
		t.Errorf("stopping one that does not repeat: %v", err)
	}
}

func TestNewTroupeRefuses(t *testing.T) {
	t.Parallel()
	scale := &v1alpha1.Scale{Workload: "Deployment/backend"}
	at := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	for says, a := range map[string]v1alpha1.Actor{
		`unknown actor "scales" (did you mean "scale"?)`: {Do: v1alpha1.Choice{Kind: "scales", Spec: scale}},
		"its spec is a *v1alpha1.Scale":                  {Do: v1alpha1.Choice{Kind: "edit", Spec: scale}},
		"every is -1s":                                   {Do: choice(scale), Every: at(-time.Second)},
		ref.ErrSyntax.Error():                            {Do: choice(&v1alpha1.Delete{Object: "backend"})},
		`no patch of type "yaml"`:                        {Do: choice(&v1alpha1.Patch{Object: "A/b", Type: "yaml"})},
		"no JSON":                                        {Do: choice(&v1alpha1.Create{Manifest: map[string]any{"a": func() {}}})},
		"apiVersion":                                     {Do: choice(&v1alpha1.Create{Manifest: map[string]any{"apiVersion": "a/b/c"}})},
	} {
		a.Name = "someone"
		_, err := actor.NewTroupe(t.Context(), &rest.Config{}, "home", []v1alpha1.Actor{a}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "actor someone: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v\nwant one that says %q", err, says)
		}
	}
}

// hook shows every request of a client to see before it is sent.
type hook struct {
	next http.RoundTripper
	see  func(*http.Request)
}

func (h hook) RoundTrip(r *http.Request) (*http.Response, error) {
	h.see(r)
	return h.next.RoundTrip(r)
}

func (s *scene) hook(see func(*http.Request)) {
	s.config.Wrap(func(next http.RoundTripper) http.RoundTripper { return hook{next, see} })
}

// rival writes to an object before each of the actor's own writes, this often.
func (s *scene) rival(resource, name string, times int) {
	done := 0
	s.hook(func(r *http.Request) {
		if r.Method == http.MethodGet || done == times {
			return
		}
		done++
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"rival":"%d"}}}`, done)
		if _, err := s.resource(resource).Patch(s.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			s.Error(err)
		}
	})
}

func TestConflictsAreRetried(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		resource, manifest string
		spec               any
		// rivals is how many writes somebody else makes between the actor's reading and writing.
		rivals int
		fails  bool
	}{
		"edit":            {configMaps, configMap, &v1alpha1.Edit{Object: "ConfigMap/shop-config", Merge: fields(t, `{data: {greeting: hi}}`)}, 3, false},
		"scale":           {deployments, deployment, &v1alpha1.Scale{Workload: "Deployment/backend", Replicas: 2}, 3, false},
		"edit gives up":   {configMaps, configMap, &v1alpha1.Edit{Object: "ConfigMap/shop-config", Merge: fields(t, `{data: {greeting: hi}}`)}, 100, true},
		"delete does not": {configMaps, configMap, &v1alpha1.Delete{Object: "ConfigMap/shop-config"}, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			made := s.create(tc.resource, tc.manifest)
			s.rival(tc.resource, made.GetName(), tc.rivals)
			err := s.troupe(does("someone", tc.spec)).Act(t.Context(), "someone")
			if apierrors.IsConflict(err) != tc.fails || err != nil && !tc.fails {
				t.Errorf("error %v", err)
			}
			if len(s.sink.all()) != 1 {
				t.Errorf("recorded %+v", s.sink.all())
			}
			if _, deletes := tc.spec.(*v1alpha1.Delete); deletes || tc.fails {
				return
			}
			got := s.get(tc.resource, made.GetName())
			if got.GetAnnotations()["rival"] != "3" || entry(got, "someone") == "none" {
				t.Errorf("of the writes one was lost: %v, %v", got.GetAnnotations(), got.GetManagedFields())
			}
		})
	}
}

// A delete means the object that was read: one that has been made anew is read again.
func TestDeleteOfReplacedObject(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.create(configMaps, configMap)
	var replace sync.Once
	var made string
	s.hook(func(r *http.Request) {
		if r.Method != http.MethodDelete {
			return
		}
		replace.Do(func() {
			if err := s.resource(configMaps).Delete(t.Context(), "shop-config", metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
			made = string(s.create(configMaps, configMap).GetUID())
		})
	})
	s.act(s.troupe(does("human", &v1alpha1.Delete{Object: "ConfigMap/shop-config"})), "human")
	if w := s.sink.all(); len(w) != 1 || w[0].Ref.UID != made {
		t.Errorf("recorded %+v, want UID %s", w, made)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for _, propagation := range []string{"", "Background", "Foreground", "Orphan"} {
		t.Run(propagation, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.create(configMaps, configMap)
			var agents []string
			var options metav1.DeleteOptions
			s.hook(func(r *http.Request) {
				if strings.Contains(r.URL.Path, "/configmaps/") {
					agents = append(agents, r.UserAgent())
				}
				if r.Method == http.MethodDelete {
					body, err := r.GetBody()
					if err != nil {
						t.Error(err)
						return
					}
					raw, _ := io.ReadAll(body)
					if err := json.Unmarshal(raw, &options); err != nil {
						t.Error(err)
					}
				}
			})
			s.act(s.troupe(does("human", &v1alpha1.Delete{Object: "ConfigMap/shop-config", Propagation: propagation})), "human")
			if propagation == "" {
				propagation = "Background"
			}
			if got := options.PropagationPolicy; got == nil || string(*got) != propagation {
				t.Errorf("propagation %v, want %s", got, propagation)
			}
			if len(slices.Compact(agents)) != 1 || agents[0] != "rehearse-actor/human" {
				t.Errorf("user agents %q", agents)
			}
		})
	}
}

func TestDeadlineLeavesOutcomeUnknown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.create(configMaps, configMap)
	cause := errors.New("the step's deadline has passed")
	ctx, cancel := context.WithCancelCause(t.Context())
	s.hook(func(r *http.Request) {
		if r.Method == http.MethodPatch {
			cancel(cause)
		}
	})
	err := s.troupe(gitops(t)).Act(ctx, "gitops")
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "whether it took effect is unknown") {
		t.Errorf("error %v", err)
	}
}
