package v1alpha1

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Toucher is the spec of a fault: it says what the fault may touch, for people. Every kind of fault has it.
type Toucher interface {
	MayTouch() string
}

// text names the node.
func (t NodeTarget) text() string {
	if t.NodeOf != "" {
		return "the node of a pod of " + t.NodeOf
	}
	return "node " + t.Node
}

func (t PodTarget) text() string { return "pods of " + t.Workload }

// MayTouch implements Toucher.
func (f *PauseNode) MayTouch() string { return f.text() + ", and its pods" }

// MayTouch implements Toucher.
func (f *KillNode) MayTouch() string { return f.text() + ", and its pods" }

// MayTouch implements Toucher.
func (f *CordonNode) MayTouch() string { return f.text() }

// MayTouch implements Toucher.
func (f *DrainNode) MayTouch() string { return f.text() + ", and its pods" }

// MayTouch implements Toucher.
func (f *TaintNode) MayTouch() string {
	if f.Effect == "NoExecute" {
		return f.text() + ", and its pods"
	}
	return f.text()
}

// MayTouch implements Toucher.
func (f *DeletePod) MayTouch() string { return f.text() }

// MayTouch implements Toucher.
func (f *EvictPod) MayTouch() string { return f.text() }

// MayTouch implements Toucher.
func (f *CrashContainer) MayTouch() string { return "containers of " + f.text() }

// MayTouch implements Toucher.
func (f *UnpullableImage) MayTouch() string { return "new pods of " + f.Workload }

// MayTouch implements Toucher.
func (f *API) MayTouch() string { return "requests of Helm: " + f.Match.text() }

// text says which requests are meant.
func (m Match) text() string {
	if m == (Match{}) {
		return "any"
	}
	text := m.Verb
	if text == "" {
		text = "any request"
	}
	if m.Resource != "" {
		text += " " + m.Resource
	}
	if m.Group != "" {
		text += " of group " + m.Group
	}
	for _, part := range []struct{ what, value string }{{"", m.Name}, {"namespace ", m.Namespace}, {"manager ", m.Manager}} {
		if part.value != "" {
			text += " " + part.what + part.value
		}
	}
	return text
}

// MayTouch implements Toucher.
func (f *SignalHelm) MayTouch() string { return "the process of helm" }

// MayTouch implements Toucher.
func (f *CancelHelm) MayTouch() string { return "the operation of Helm under way" }

// MayTouch implements Toucher.
func (r *RivalHelm) MayTouch() string {
	var does []string
	for _, o := range r.Operations() {
		does = append(does, o.Kind)
	}
	return "the release's objects, hooks and records, by " + list(does, "an operation")
}

// MayTouch implements Toucher.
func (f *Webhook) MayTouch() string { return f.Match.text() }

// MayTouch implements Toucher.
func (f *DenyAdmission) MayTouch() string { return f.text() }

// text says which requests are meant.
func (m AdmissionMatch) text() string {
	return list(m.Operations, "CREATE, UPDATE") + " of " + list(m.Resources, "any resource") + " in the namespace"
}

// MayTouch implements Toucher.
func (f *Quota) MayTouch() string {
	return "what the namespace may hold: " + list(slices.Sorted(maps.Keys(f.Hard)), "any resource")
}

// MayTouch implements Toucher.
func (f *BlockEvictions) MayTouch() string { return "evictions of pods of " + f.Workload }

// MayTouch implements Toucher.
func (f *PendingVolume) MayTouch() string {
	if f.Claim == "" {
		return "every PersistentVolumeClaim of the namespace without a volume"
	}
	return "PersistentVolumeClaim/" + f.Claim
}

// MayTouch implements Toucher.
func (f *RevokeAccess) MayTouch() string {
	text := "Helm's access: " + list(f.Verbs, "any verb") + " of " + list(f.Resources, "any resource")
	if len(f.Groups) > 0 {
		text += fmt.Sprintf(" in group %q", strings.Join(f.Groups, ", "))
	}
	if len(f.Names) > 0 {
		text += " named " + list(f.Names, "")
	}
	return text
}

// MayTouch implements Toucher.
func (f *StickFinalizer) MayTouch() string { return f.Object }

// MayTouch implements Toucher.
func (f *TerminateNamespace) MayTouch() string {
	return "the release's namespace, and all that is in it"
}

// MayTouch implements Toucher.
func (f *ReleaseSecret) MayTouch() string {
	which := "the newest revision"
	if f.Revision > 0 {
		which = fmt.Sprintf("revision %d", f.Revision)
	}
	return fmt.Sprintf("Helm's record of %s: %s", which, f.Becomes)
}

// MayTouch implements Toucher.
func (f *LeftoverHook) MayTouch() string {
	if f.Hook != "" {
		return "the hook " + f.Hook
	}
	metadata, _ := f.Job["metadata"].(map[string]any)
	return fmt.Sprintf("Job/%v", metadata["name"])
}

// MayTouch implements Toucher.
func (f *PauseAPIServer) MayTouch() string { return wholeAPI }

// MayTouch implements Toucher.
func (f *KillAPIServer) MayTouch() string { return wholeAPI }

// MayTouch implements Toucher.
func (f *SlowEtcd) MayTouch() string { return "etcd, and so every request to the API server" }

// wholeAPI is what is touched if there is no API server.
const wholeAPI = "the API server, and so all that use it"

// list joins names; other stands for none.
func list(names []string, other string) string {
	if len(names) == 0 {
		return other
	}
	return strings.Join(names, ", ")
}
