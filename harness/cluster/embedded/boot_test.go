package embedded

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"rehearse.dev/rehearse/harness/cluster"
)

func TestBoot(t *testing.T) {
	for range 3 {
		began := time.Now()
		c, err := New(WithStateRoot(t.TempDir())).Create(context.Background(), cluster.Spec{Progress: func(s string) { t.Log(time.Since(began), s) }})
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kubernetes.NewForConfig(c.RESTConfig())
		if err != nil {
			t.Fatal(err)
		}
		l := map[string]string{"a": "b"}
		_, err = cl.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To(int32(3)), Selector: &metav1.LabelSelector{MatchLabels: l}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: l}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for {
			d, err := cl.AppsV1().Deployments("default").Get(t.Context(), "x", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Status.ReadyReplicas == 3 {
				break
			}
			if time.Since(began) > 20*time.Second {
				c.CollectLogs(context.Background(), "/tmp/t1/logs")
				t.Fatal("late")
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Log("deployment", time.Since(began))
		if err := c.Delete(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Log(time.Since(began))
	}
}
