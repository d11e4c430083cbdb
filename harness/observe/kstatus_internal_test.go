package observe

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestKstatusOfGarbage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		object map[string]any
		want   string
	}{
		"plain":              {map[string]any{"kind": "ConfigMap", "apiVersion": "v1"}, "Current"},
		"status no map":      {map[string]any{"kind": "Pod", "apiVersion": "v1", "status": "odd"}, "Unknown"},
		"conditions no list": {map[string]any{"kind": "Widget", "apiVersion": "x/v1", "status": map[string]any{"conditions": 7}}, "Unknown"},
		"nothing":            {nil, "Current"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, message := kstatus(&unstructured.Unstructured{Object: tc.object}); got != tc.want {
				t.Errorf("got %s (%s), want %s", got, message, tc.want)
			}
		})
	}
}
