package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/ownership"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

func validateAwait(spec any) []registry.Problem {
	a := spec.(*v1alpha1.Await)
	if a.Status == "" && a.Condition == nil && a.Field == nil {
		return []registry.Problem{{Message: "awaits nothing; state status, condition or field"}}
	}
	if a.Status == string(status.NotFoundStatus) && (a.Condition != nil || a.Field != nil) {
		return []registry.Problem{{Path: "status", Message: "an object that is not found has neither condition nor field; state status alone"}}
	}
	return nil
}

// await watches until the object is as stated. Its error says in which way the object last differed.
func await(ctx context.Context, s *stage, spec *v1alpha1.Await) error {
	object, err := ref.Parse(spec.Object)
	if err != nil {
		return err
	}
	wanted, err := newCondition(spec)
	if err != nil {
		return err
	}
	var last atomic.Value // the condition is judged where versions arrive
	last.Store("no version of it was seen")
	err = s.watching.Await(ctx, object, func(obj map[string]any, kstatus string) bool {
		differs := wanted.differs(obj, kstatus)
		last.Store(differs)
		return differs == ""
	})
	if err != nil {
		return fmt.Errorf("awaiting %s: %s: %w", spec.Object, last.Load(), err)
	}
	return nil
}

// condition is an await's spec with its field path read.
type condition struct {
	spec *v1alpha1.Await
	path ownership.Path
}

func newCondition(spec *v1alpha1.Await) (condition, error) {
	c := condition{spec: spec}
	if spec.Field == nil {
		return c, nil
	}
	var err error
	c.path, err = ownership.ParsePath(spec.Field.Path)
	return c, err
}

// differs says how an object (nil: not found) differs from what is awaited; empty if it does not.
func (c condition) differs(obj map[string]any, kstatus string) string {
	var found []string
	if c.spec.Status != "" && c.spec.Status != kstatus {
		found = append(found, fmt.Sprintf("kstatus is %s, not %s", kstatus, c.spec.Status))
	}
	if obj == nil && len(found) == 0 && (c.spec.Condition != nil || c.spec.Field != nil) {
		found = append(found, "not found")
	}
	if obj != nil {
		found = append(found, c.conditionDiffers(obj), c.fieldDiffers(obj))
	}
	return strings.Join(slices.DeleteFunc(found, func(s string) bool { return s == "" }), ", ")
}

func (c condition) conditionDiffers(obj map[string]any) string {
	want := c.spec.Condition
	if want == nil {
		return ""
	}
	wantStatus := cmp.Or(want.Status, "True")
	conditions, _, _ := unstructured.NestedSlice(obj, "status", "conditions")
	for _, item := range conditions {
		have, ok := item.(map[string]any)
		if !ok || have["type"] != want.Type {
			continue
		}
		if have["status"] == wantStatus && (want.Reason == "" || have["reason"] == want.Reason) {
			return ""
		}
		return fmt.Sprintf("condition %s is %v (%v)", want.Type, have["status"], have["reason"])
	}
	return fmt.Sprintf("condition %s is absent", want.Type)
}

func (c condition) fieldDiffers(obj map[string]any) string {
	if c.spec.Field == nil {
		return ""
	}
	have, ok := ownership.Value(obj, c.path)
	want := c.spec.Field.Equals
	switch {
	case want == nil && !ok:
		return ""
	case !ok:
		return fmt.Sprintf("field %s is absent", c.spec.Field.Path)
	case want == nil:
		return fmt.Sprintf("field %s is %s, not absent", c.spec.Field.Path, asJSON(have))
	case reflect.DeepEqual(normal(have), normal(want)):
		return ""
	}
	return fmt.Sprintf("field %s is %s, not %s", c.spec.Field.Path, asJSON(have), asJSON(want))
}

// normal is a value as JSON reads it back, so that 5, int64(5) and 5.0 are equal.
func normal(v any) any {
	var out any
	if json.Unmarshal([]byte(asJSON(v)), &out) != nil {
		return v
	}
	return out
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
