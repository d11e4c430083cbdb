package assert_test

import (
	"fmt"
	"maps"
	"strings"

	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/evidence"
)

// fieldsOf is the fieldsV1 of whoever wrote all of m; lists of named entries are keyed, others atomic.
func fieldsOf(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out["f:"+k] = map[string]any{}
		switch v := v.(type) {
		case map[string]any:
			if k != "selector" {
				out["f:"+k] = fieldsOf(v)
			}
		case []any:
			items := map[string]any{}
			for _, item := range v {
				if entry, ok := item.(map[string]any); ok && entry["name"] != nil {
					fields := fieldsOf(entry)
					fields["."] = map[string]any{}
					items[fmt.Sprintf(`k:{"name":%q}`, entry["name"])] = fields
				}
			}
			out["f:"+k] = items
		}
	}
	return out
}

func entry(manager, operation, subresource string, fields map[string]any) map[string]any {
	e := map[string]any{"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields}
	if subresource != "" {
		e["subresource"] = subresource
	}
	return e
}

func refOf(o map[string]any) evidence.Ref {
	meta := o["metadata"].(map[string]any)
	group, version, ok := strings.Cut(o["apiVersion"].(string), "/")
	if !ok {
		group, version = "", group
	}
	namespace, _ := meta["namespace"].(string)
	uid, _ := meta["uid"].(string)
	return evidence.Ref{Group: group, Version: version, Kind: o["kind"].(string), Namespace: namespace, Name: meta["name"].(string), UID: uid}
}

func keyOf(o map[string]any) string { return refOf(o).String() }

func clone(m map[string]any) map[string]any { return cloneValue(m).(map[string]any) }

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, c := range v {
			out[k] = cloneValue(c)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, c := range v {
			out[i] = cloneValue(c)
		}
		return out
	}
	return v
}

func merged(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, b)
	return out
}

// parse reads YAML into an object with whole numbers as int64, as evidence has them.
func parse(text string) map[string]any {
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		panic(err) // a mistake in the test
	}
	return whole(o).(map[string]any)
}

func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, c := range v {
			v[k] = whole(c)
		}
	case []any:
		for i, c := range v {
			v[i] = whole(c)
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

// chart is the manifest of the story's release; 0 replicas leaves them out.
func chart(tag string, replicas int) []map[string]any {
	count := ""
	if replicas > 0 {
		count = fmt.Sprintf("replicas: %d", replicas)
	}
	return []map[string]any{
		parse(fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {tag: %s}}`, tag)),
		parse(`{apiVersion: v1, kind: Secret, metadata: {name: creds}, stringData: {password: hunter22}}`),
		parse(fmt.Sprintf(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec: {selector: {matchLabels: {app: db}}, template: {spec: {containers: [{name: db, image: "db:%s"}]}}}`, tag)),
		parse(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: backend
  annotations: {config.kubernetes.io/depends-on: apps/namespaces/ns/StatefulSet/db}
spec:
  %s
  selector: {matchLabels: {app: backend}}
  template:
    spec:
      containers:
      - name: app
        image: "app:%s"
        args: [--fast, --loud]
        env: [{name: MODE, value: calm}]
        resources: {limits: {cpu: 1000m}, requests: {}}`, count, tag)),
		parse(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend}
spec: {selector: {matchLabels: {app: frontend}}, template: {spec: {containers: [{name: app, image: "web:%s"}]}}}`, tag)),
	}
}
