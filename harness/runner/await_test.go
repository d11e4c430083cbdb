package runner

import (
	"testing"

	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

func TestConditionDiffers(t *testing.T) {
	t.Parallel()
	const deployment = `
spec: {replicas: 3, template: {spec: {containers: [{name: app, image: "app:v1"}, {name: sidecar}]}}}
status:
  conditions: [{type: Available, status: "True", reason: Enough}, {type: Progressing, status: "False", reason: Slow}, odd]
`
	field := func(path string, equals any) v1alpha1.Await {
		return v1alpha1.Await{Field: &v1alpha1.AwaitField{Path: path, Equals: equals}}
	}
	condition := func(kind, status, reason string) v1alpha1.Await {
		return v1alpha1.Await{Condition: &v1alpha1.AwaitCondition{Type: kind, Status: status, Reason: reason}}
	}
	for name, test := range map[string]struct {
		spec v1alpha1.Await
		// object is nothing if the object is not found.
		object, kstatus string
		want            string
	}{
		"kstatus":                       {spec: v1alpha1.Await{Status: "Current"}, object: deployment, kstatus: "Current"},
		"another kstatus":               {spec: v1alpha1.Await{Status: "Current"}, object: deployment, kstatus: "InProgress", want: "kstatus is InProgress, not Current"},
		"gone":                          {spec: v1alpha1.Await{Status: "NotFound"}, kstatus: "NotFound"},
		"not gone yet":                  {spec: v1alpha1.Await{Status: "NotFound"}, object: deployment, kstatus: "Terminating", want: "kstatus is Terminating, not NotFound"},
		"not there yet":                 {spec: v1alpha1.Await{Status: "Current"}, kstatus: "NotFound", want: "kstatus is NotFound, not Current"},
		"condition of what is not":      {spec: condition("Available", "True", ""), kstatus: "NotFound", want: "not found"},
		"absent field of what is not":   {spec: field(".spec.paused", nil), kstatus: "NotFound", want: "not found"},
		"condition":                     {spec: condition("Available", "True", ""), object: deployment},
		"condition, True by default":    {spec: condition("Available", "", ""), object: deployment},
		"condition with its reason":     {spec: condition("Progressing", "False", "Slow"), object: deployment},
		"condition of another status":   {spec: condition("Progressing", "True", ""), object: deployment, want: "condition Progressing is False (Slow)"},
		"condition with another reason": {spec: condition("Available", "True", "Luck"), object: deployment, want: "condition Available is True (Enough)"},
		"absent condition":              {spec: condition("Ready", "True", ""), object: deployment, want: "condition Ready is absent"},
		"no conditions":                 {spec: condition("Ready", "True", ""), object: "spec: {}", want: "condition Ready is absent"},
		"field":                         {spec: field(".spec.replicas", int64(3)), object: deployment},
		"field, as JSON has numbers":    {spec: field(".spec.replicas", 3.0), object: deployment},
		"another value":                 {spec: field(".spec.replicas", int64(5)), object: deployment, want: "field .spec.replicas is 3, not 5"},
		"a value of another type":       {spec: field(".spec.replicas", "3"), object: deployment, want: `field .spec.replicas is 3, not "3"`},
		"field of a keyed list":         {spec: field(".spec.template.spec.containers[name=app].image", "app:v1"), object: deployment},
		"mapping":                       {spec: field(".spec.template.spec.containers[name=sidecar]", map[string]any{"name": "sidecar"}), object: deployment},
		"absent field":                  {spec: field(".spec.paused", true), object: deployment, want: "field .spec.paused is absent"},
		"field to be absent":            {spec: field(".spec.paused", nil), object: deployment},
		"field to be absent, but there": {spec: field(".spec.replicas", nil), object: deployment, want: "field .spec.replicas is 3, not absent"},
		"all that differs": {
			spec:   v1alpha1.Await{Status: "Current", Condition: &v1alpha1.AwaitCondition{Type: "Ready"}, Field: &v1alpha1.AwaitField{Path: ".spec.paused", Equals: true}},
			object: deployment, kstatus: "Failed",
			want: "kstatus is Failed, not Current, condition Ready is absent, field .spec.paused is absent",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var object map[string]any
			if err := yaml.Unmarshal([]byte(test.object), &object); err != nil {
				t.Fatal(err)
			}
			c, err := newCondition(&test.spec)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.differs(object, test.kstatus); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestValidateAwait(t *testing.T) {
	t.Parallel()
	field := &v1alpha1.AwaitField{Path: ".spec"}
	for name, test := range map[string]struct {
		spec v1alpha1.Await
		path string
		bad  bool
	}{
		"status":               {spec: v1alpha1.Await{Status: "Current"}},
		"field":                {spec: v1alpha1.Await{Field: field}},
		"status and field":     {spec: v1alpha1.Await{Status: "Current", Field: field}},
		"nothing":              {bad: true},
		"a field of no object": {spec: v1alpha1.Await{Status: "NotFound", Field: field}, bad: true, path: "status"},
	} {
		problems := validateAwait(&test.spec)
		if bad := len(problems) == 1; bad != test.bad || bad && problems[0].Path != test.path {
			t.Errorf("%s: problems %v", name, problems)
		}
	}
}
