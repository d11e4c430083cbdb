package observe

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

const statusNotFound = string(status.NotFoundStatus)

// kstatus computes an object's status. An object that cannot be judged is Unknown, with the reason: whatever a chart
// renders must not end the watch.
func kstatus(u *unstructured.Unstructured) (is, message string) {
	defer func() {
		if p := recover(); p != nil {
			is, message = string(status.UnknownStatus), fmt.Sprintf("kstatus panicked: %v", p)
		}
	}()
	result, err := status.Compute(u)
	if err != nil {
		return string(status.UnknownStatus), err.Error()
	}
	return string(result.Status), result.Message
}
