package sample

import "strings"

// entry is one entry of managedFields.
func entry(manager, operation, subresource string, paths ...string) any {
	e := map[string]any{
		"manager": manager, "operation": operation, "apiVersion": "apps/v1",
		"time": "2026-05-04T09:30:12Z", "fieldsType": "FieldsV1", "fieldsV1": fields(paths),
	}
	if subresource != "" {
		e["subresource"] = subresource
	}
	return e
}

func object(apiVersion, kind, name string, spec map[string]any, entries ...any) map[string]any {
	o := map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{
			"name": name, "namespace": "shop-1", "uid": kind + "-" + name,
			"annotations":   map[string]any{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop-1"},
			"managedFields": entries,
		},
	}
	if spec != nil {
		o["spec"] = spec
	}
	return o
}

func workload(kind, name string, replicas int, tag string, entries ...any) map[string]any {
	return object("apps/v1", kind, name, map[string]any{
		"replicas": int64(replicas),
		"template": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{"name": "app", "image": "shop:" + tag}},
		}},
	}, entries...)
}

// The fields that the chart's manifests set, as paths of managedFields.
const (
	inMetadata = "f:metadata f:annotations f:meta.helm.sh/release-name"
	inPod      = `f:spec f:template f:spec f:containers k:{"name":"app"}`
	replicas   = "f:spec f:replicas"
)

// helm owns the annotations that it sets, and more.
func helm(more ...string) any {
	return entry("helm", "Apply", "", append([]string{inMetadata}, more...)...)
}

func template() []string { return []string{inPod + " .", inPod + " f:image", inPod + " f:name"} }

func controller(field string) any {
	return entry("kube-controller-manager", "Update", "status", "f:status "+field)
}

// objectsAfter are the objects of the release at the end of each step.
func objectsAfter(step string) []map[string]any {
	ready := controller("f:readyReplicas")
	all := append(template(), replicas)
	hpa := entry("hpa", "Update", "scale", replicas)
	settings := object("v1", "ConfigMap", "settings", nil, helm("f:data f:mode"))
	var backend map[string]any
	switch step {
	case "v1":
		backend = workload("Deployment", "backend", 2, "v1", helm(all...), ready)
	case "scaled":
		backend = workload("Deployment", "backend", 5, "v1", helm(template()...), hpa, ready)
	case "v2":
		backend = workload("Deployment", "backend", 5, "v2", helm(append(template(), "f:spec f:paused")...), hpa, ready)
	default:
		backend = workload("Deployment", "backend", 2, "v1", helm(all...), controller("f:updatedReplicas"))
	}
	if step == "v2" || step == "back" {
		settings = object("v1", "ConfigMap", "settings", nil, helm("f:data f:mode"), entry("kubectl-edit", "Update", "", "f:data f:debug"))
	}
	db := workload("StatefulSet", "db", 1, "v1", helm(all...), ready)
	frontend := workload("Deployment", "frontend", 1, "v1", helm(all...), ready)
	objects := []map[string]any{settings, db, backend, frontend}
	if step == "v2" {
		objects = append(objects, object("v1", "ConfigMap", "extra", nil, helm()))
	}
	return objects
}

// fields makes fieldsV1 of paths whose elements are separated by spaces.
func fields(paths []string) map[string]any {
	root := map[string]any{}
	for _, path := range paths {
		at := root
		for _, element := range strings.Fields(path) {
			next, ok := at[element].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[element] = next
			}
			at = next
		}
	}
	return root
}
