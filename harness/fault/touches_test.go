package fault_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/schema"
)

// TestEveryKindSaysWhatItMayTouch: a plan names the blast radius of each fault; these are the examples'.
func TestEveryKindSaysWhatItMayTouch(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"pauseNode":          "the node of a pod of Deployment/backend, and its pods",
		"killNode":           "node 2, and its pods",
		"cordonNode":         "node 1",
		"drainNode":          "the node of a pod of StatefulSet/db, and its pods",
		"taintNode":          "node 1",
		"deletePod":          "pods of StatefulSet/db",
		"evictPod":           "pods of Deployment/backend",
		"crashContainer":     "containers of pods of Deployment/backend",
		"unpullableImage":    "new pods of Deployment/backend",
		"api":                "requests of Helm: patch deployments",
		"signalHelm":         "the process of helm",
		"cancelHelm":         "the operation of Helm under way",
		"rivalHelm":          "the release's objects, hooks and records, by rollback",
		"webhook":            "UPDATE of deployments in the namespace",
		"denyAdmission":      "UPDATE of deployments in the namespace",
		"quota":              "what the namespace may hold: count/configmaps, pods",
		"blockEvictions":     "evictions of pods of StatefulSet/db",
		"pendingVolume":      "PersistentVolumeClaim/data-db-1",
		"revokeAccess":       "Helm's access: patch of deployments in group \"apps\"",
		"stickFinalizer":     "ConfigMap/shop-config",
		"terminateNamespace": "the release's namespace, and all that is in it",
		"releaseSecret":      "Helm's record of revision 1: deleted",
		"leftoverHook":       "the hook Job/migrate",
		"pauseAPIServer":     "the API server, and so all that use it",
		"killAPIServer":      "the API server, and so all that use it",
		"slowEtcd":           "etcd, and so every request to the API server",
	}
	for _, info := range fault.Registry().Infos() {
		spec, _ := decode(schema.ListItem(info.Example))
		toucher, ok := spec.Do.Spec.(v1alpha1.Toucher)
		if !ok {
			t.Errorf("%s: its spec, a %T, does not say what it may touch; see v1alpha1.Toucher", info.Name, spec.Do.Spec)
			continue
		}
		if got := toucher.MayTouch(); got != want[info.Name] || got == "" {
			t.Errorf("%s: it may touch %q, want %q", info.Name, got, want[info.Name])
		}
	}
}
