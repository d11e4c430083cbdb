package sweep

import (
	"cmp"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// cutTimeout is how long a fault of a sweep may take to recover.
const cutTimeout = time.Minute

// faultOf is the fault that breaks a step at one of its writes, once.
func faultOf(w Write, cut Cut) v1alpha1.Fault {
	required := true
	return v1alpha1.Fault{
		Name: cutName, RequireFired: &required, Timeout: &metav1.Duration{Duration: cutTimeout}, Do: cut.choice(w.match()),
	}
}

func (c Cut) choice(m v1alpha1.Match) v1alpha1.Choice {
	switch c {
	case KilledBefore:
		return v1alpha1.Choice{Kind: "signalHelm", Spec: &v1alpha1.SignalHelm{Signal: "KILL", HelmTrigger: v1alpha1.HelmTrigger{Before: &m}}}
	case KilledAfter:
		return v1alpha1.Choice{Kind: "signalHelm", Spec: &v1alpha1.SignalHelm{Signal: "KILL", HelmTrigger: v1alpha1.HelmTrigger{After: &m}}}
	}
	once := 1
	spec := &v1alpha1.API{Match: m, Count: &once}
	switch c {
	case ResponseLost:
		spec.Break = "lose"
	case Conflict:
		spec.Respond = &v1alpha1.APIResponse{Status: http.StatusConflict}
	case ServerError:
		spec.Respond = &v1alpha1.APIResponse{Status: http.StatusInternalServerError}
	}
	return v1alpha1.Choice{Kind: "api", Spec: spec}
}

// match picks the write, and those after it that are alike: a fault that acts once acts on the first of them.
func (w Write) match() v1alpha1.Match {
	m := v1alpha1.Match{Verb: w.Verb, Group: cmp.Or(w.Group, "core"), Resource: w.Resource, Name: w.Name, Nth: w.Nth}
	if w.Subresource != "" {
		m.Resource += "/" + w.Subresource
	}
	return m
}
