package actor

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
)

func deleteEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "delete",
		Summary: "Deletes an object, as kubectl delete --wait=false does. It must be there.",
		Example: "name: human\ndelete: {object: Pod/db-0, propagation: Background}\n",
		NewSpec: func() any { return &v1alpha1.Delete{} },
		Code:    code(prepareDelete),
	}
}

// prepareDelete deletes exactly the object that it has read, so that the evidence can say which one it was.
func prepareDelete(spec *v1alpha1.Delete) (write, error) {
	propagation := metav1.DeletePropagationBackground
	if spec.Propagation != "" {
		propagation = metav1.DeletionPropagation(spec.Propagation)
	}
	return onReference(spec.Object, func(ctx context.Context, o object) (*unstructured.Unstructured, error) {
		var seen *unstructured.Unstructured
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			now, err := o.client.Get(ctx, o.name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			seen = now
			uid := now.GetUID()
			return o.client.Delete(ctx, o.name, metav1.DeleteOptions{
				PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
			})
		})
		return seen, err
	})
}
