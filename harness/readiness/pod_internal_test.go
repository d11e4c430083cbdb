package readiness

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"rehearse.dev/rehearse/harness/evidence"
)

type nowhere struct{}

func (nowhere) Record(evidence.Event) int64 { return 0 }

// TestConflict: a conflict does not mean that the pod is gone, unless another has its name or none has.
func TestConflict(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// there is the UID of the pod that has the name; empty if none has.
		there types.UID
		// conflicts is how often a patch meets one; negative: always.
		conflicts int
		open      bool
		says      string
	}{
		{"of writers that race", "mine", 3, true, ""},
		{"that does not end", "mine", -1, false, "the object has been modified"},
		{"as another pod has the name", "another", -1, false, ""},
		{"as the pod is gone", "", -1, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "mine"}}
				client := fake.NewClientset()
				if tc.there != "" {
					now := pod.DeepCopy()
					now.UID = tc.there
					if err := client.Tracker().Add(now); err != nil {
						t.Fatal(err)
					}
				}
				left := tc.conflicts
				client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
					if left == 0 {
						return false, nil, nil
					}
					left--
					return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, "p", errors.New("the object has been modified"))
				})
				_, stop := context.WithCancel(t.Context())
				c := &Controller{client: client, sink: nowhere{}, cancel: stop}
				err := c.decide(t.Context(), pod, "Pod/p", decision{0, released})
				if (err == nil) != tc.open {
					t.Errorf("decided with %v", err)
				}
				failures := ""
				if err := c.Close(); err != nil {
					failures = err.Error()
				}
				if !strings.Contains(failures, tc.says) || (tc.says == "") != (failures == "") {
					t.Errorf("failures: %q, want %q", failures, tc.says)
				}
				if now, err := client.CoreV1().Pods("ns").Get(t.Context(), "p", metav1.GetOptions{}); err == nil && tc.open {
					if len(now.Status.Conditions) != 1 || now.Status.Conditions[0].Type != Gate {
						t.Errorf("the gate is not open: %+v", now.Status.Conditions)
					}
				}
			})
		})
	}
}
