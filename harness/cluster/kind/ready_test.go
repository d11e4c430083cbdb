package kind

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSystemLacks(t *testing.T) {
	t.Parallel()
	static := func(name string, phase corev1.PodPhase) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "1"}},
			Status:     corev1.PodStatus{Phase: phase},
		}
	}
	addon := func(name string, ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			},
		}
	}
	running := []*corev1.Pod{
		static("etcd", corev1.PodRunning), static("api", corev1.PodRunning), static("cm", corev1.PodRunning), static("sched", corev1.PodRunning),
	}
	for name, test := range map[string]struct {
		pods []*corev1.Pod
		want string
	}{
		"all run":             {running, ""},
		"one is missing":      {running[:3], "3 of 4 pods of kube-system ready"},
		"one is pending":      {append([]*corev1.Pod{static("etcd", corev1.PodPending)}, running[1:]...), "3 of 4 pods of kube-system ready, not etcd"},
		"an add-on runs only": {append([]*corev1.Pod{addon("coredns", corev1.ConditionFalse)}, running...), "4 of 5 pods of kube-system ready, not coredns"},
		"an add-on is ready":  {append([]*corev1.Pod{addon("coredns", corev1.ConditionTrue)}, running...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := systemLacks(test.pods, 1); got != test.want {
				t.Errorf("lacks %q, want %q", got, test.want)
			}
		})
	}
}

func TestOthersLack(t *testing.T) {
	t.Parallel()
	holder, nobody := "somebody", ""
	lease := func(name string, holder *string) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: coordinationv1.LeaseSpec{HolderIdentity: holder}}
	}
	if got := leadersLack([]*coordinationv1.Lease{lease("kube-scheduler", &nobody), lease("kube-controller-manager", nil)}); got == "" {
		t.Error("leaders that nobody is are enough")
	}
	if got := leadersLack([]*coordinationv1.Lease{lease("kube-scheduler", &holder), lease("kube-controller-manager", &holder)}); got != "" {
		t.Errorf("lacks %q", got)
	}
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}}
	if hasDefaultClass([]*storagev1.StorageClass{class}) == "" {
		t.Error("a class that is not the default is enough")
	}
	class.Annotations = map[string]string{defaultClass: "true"}
	if got := hasDefaultClass([]*storagev1.StorageClass{class}); got != "" {
		t.Errorf("lacks %q", got)
	}
	if accountLacks(nil) == "" {
		t.Error("no ServiceAccount is enough")
	}
}
