package actor

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

func scaleEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "scale",
		Summary: "Sets replicas through the scale subresource, as an autoscaler does.",
		Example: "name: hpa\nscale: {workload: Deployment/backend, replicas: 5}\n",
		NewSpec: func() any { return &v1alpha1.Scale{} },
		Code:    code(prepareScale),
	}
}

func prepareScale(spec *v1alpha1.Scale) (write, error) {
	replicas := int64(spec.Replicas)
	return onReference(spec.Workload, func(ctx context.Context, o object) (*unstructured.Unstructured, error) {
		scale, err := o.rewrite(ctx, func(scale *unstructured.Unstructured) error {
			return unstructured.SetNestedField(scale.Object, replicas, "spec", "replicas")
		}, "scale")
		if unserved(err) {
			err = fmt.Errorf("%s has no scale subresource: %w", o.kind, err)
		}
		return scale, err
	})
}

// rewrite reads an object or a subresource of it, changes it and writes it back whole, anew from the reading if
// somebody else has written in between.
func (o object) rewrite(ctx context.Context, change func(*unstructured.Unstructured) error, subresource ...string) (*unstructured.Unstructured, error) {
	var seen *unstructured.Unstructured
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := o.client.Get(ctx, o.name, metav1.GetOptions{}, subresource...)
		if err != nil {
			return err
		}
		seen = now
		if err := change(now); err != nil {
			return err
		}
		now, err = o.client.Update(ctx, now, metav1.UpdateOptions{FieldManager: o.manager}, subresource...)
		if err == nil {
			seen = now
		}
		return err
	})
	return seen, err
}
