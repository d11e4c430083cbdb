package assert_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/evidence"
)

func TestTraffic(t *testing.T) {
	t.Parallel()
	if got := assert.Traffic(&evidence.Bundle{Timeline: []evidence.Event{{Step: "v1"}}}); got != nil {
		t.Errorf("of no request it counts %+v", got)
	}
	b := &evidence.Bundle{}
	for _, q := range []evidence.Request{
		{Verb: "get", Status: 200},
		{Verb: "get", Status: 404},
		{Verb: "patch", Status: 409, Faults: []string{"a", "b"}},
		{Verb: "patch", Status: 200, Faults: []string{"a"}},
		{Verb: "create"},
	} {
		b.Timeline = append(b.Timeline, evidence.Event{Request: &q}, evidence.Event{Step: "v1"})
	}
	if got, want := assert.Traffic(b).String(), "5 (get 2, patch 2, create 1), refused: 1, unanswered: 1, touched by a fault: 2"; got != want {
		t.Errorf("it counts %s, want %s", got, want)
	}
}
