package observe

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rehearse.dev/rehearse/harness/evidence"
)

// takeEvent records an Event of the Kubernetes API: one of the scope's namespace, or one that regards an object of the
// scope. The lock is held.
func (s *Subscription) takeEvent(d delivery) {
	if d.change == evidence.Deleted {
		return
	}
	var e corev1.Event
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(d.obj.Object, &e); err != nil {
		s.sink.Record(evidence.Event{Gap: &evidence.Gap{Resource: "events", Reason: err.Error()}})
		return
	}
	if e.Namespace != s.scope.Namespace && s.held[e.InvolvedObject.UID] == nil {
		return
	}
	gv, _ := schema.ParseGroupVersion(e.InvolvedObject.APIVersion) // a malformed version is left empty
	count := e.Count
	if e.Series != nil {
		count = e.Series.Count
	}
	s.sink.Record(evidence.Event{KubeEvent: &evidence.KubeEvent{
		Regarding: evidence.Ref{
			Group: gv.Group, Version: gv.Version, Kind: e.InvolvedObject.Kind,
			Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name, UID: string(e.InvolvedObject.UID),
		},
		Type: e.Type, Reason: e.Reason, Message: e.Message, Count: count,
		Source: cmp.Or(e.Source.Component, e.ReportingController),
	}})
}
