package replay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/replay"
)

// hit is a request at which a fault fired.
type hit struct {
	request evidence.Request
	step    string
	fault   string // empty if none fired
}

func patch(name string, number int64, began, took time.Duration) evidence.Request {
	return evidence.Request{Number: number, Verb: "patch", Group: "apps", Resource: "deployments", Name: name, Namespace: "rh-x-1", Began: began, Took: took}
}

// bundleOf is evidence of requests in the order in which their faults fired.
func bundleOf(operation string, hits ...hit) *evidence.Bundle {
	b := &evidence.Bundle{Variant: evidence.Variant{Format: evidence.Format, Namespace: "rh-x-1"}}
	for _, h := range hits {
		if !slices.ContainsFunc(b.Timeline, func(e evidence.Event) bool { return e.Step == h.step }) {
			b.Timeline = append(b.Timeline, evidence.Event{Step: h.step, Started: &evidence.StepStarted{Operation: operation}})
		}
		if h.fault != "" {
			b.Timeline = append(b.Timeline, evidence.Event{Step: h.step, Fault: &evidence.Fault{
				Name: h.fault, Kind: "api", Phase: evidence.FaultFired, Request: h.request.Number, Detail: h.request.String() + ": answered 409",
			}})
		}
		b.Timeline = append(b.Timeline, evidence.Event{Step: h.step, Request: &h.request})
	}
	return b
}

func firingsOf(t *testing.T, b *evidence.Bundle) []replay.Firing {
	t.Helper()
	all, err := replay.Firings(b)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func texts(all []replay.Firing) []string {
	var out []string
	for _, f := range all {
		out = append(out, f.String())
	}
	return out
}

// TestFirings: a firing says at which request of which step it was, and which of several that are alike.
func TestFirings(t *testing.T) {
	t.Parallel()
	b := bundleOf("upgrade",
		hit{patch("backend", 2, 20, 1), "v2", "busy"},
		hit{patch("backend", 1, 10, 1), "v2", ""},
		hit{patch("backend", 3, 30, 1), "back", "busy"},
	)
	fired := func(target evidence.Ref, detail string) {
		b.Timeline = append(b.Timeline, evidence.Event{Fault: &evidence.Fault{Name: "other", Phase: evidence.FaultFired, Targets: []evidence.Ref{target}, Detail: detail}})
	}
	fired(evidence.Ref{Kind: "Node", Name: "node-2"}, "tainted")
	fired(evidence.Ref{Kind: "ReplicaSet", Name: "backend-1"}, "FailedCreate: in rh-x-1 after 20ms")
	fired(evidence.Ref{Kind: "ReplicaSet", Name: "backend-1"}, "FailedCreate: in rh-x-1 after 31ms")
	want := []string{
		"busy at patch deployments/backend #2 (step v2): answered 409",
		"busy at patch deployments/backend (step back): answered 409",
		"other at Node/*: tainted",
		"other at ReplicaSet/backend-1: FailedCreate",
	}
	if diff := cmp.Diff(want, texts(firingsOf(t, b))); diff != "" {
		t.Errorf("firings (-want +got):\n%s", diff)
	}
	b.Variant.Format = 0
	if _, err := replay.Firings(b); !errors.Is(err, replay.ErrNotWhole) || !strings.Contains(err.Error(), "older version") {
		t.Errorf("a bundle of format 0: %v", err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	a, b := hit{patch("a", 1, 10, 5), "s", "f"}, hit{patch("b", 2, 20, 5), "s", "f"}
	meanwhile := hit{patch("b", 2, 12, 5), "s", "f"}
	elsewhere := hit{patch("b", 2, 20, 5), "t", "f"}
	second := hit{patch("a", 3, 30, 5), "s", "f"}
	other := a
	other.fault = "g"
	swapped := []hit{{patch("b", 1, 10, 5), "s", "f"}, {patch("a", 2, 20, 5), "s", "f"}}
	for name, test := range map[string]struct {
		operation string
		then, now []hit
		want      *replay.Difference
	}{
		"the same":           {"upgrade", []hit{a, b}, []hit{a, b}, nil},
		"none":               {"upgrade", nil, nil, nil},
		"another order":      {"upgrade", []hit{a, b}, swapped, &replay.Difference{Number: 1, Then: "f at patch deployments/a (step s): answered 409", Now: "f at patch deployments/b (step s): answered 409"}},
		"side by side then":  {"upgrade", []hit{a, meanwhile}, swapped, nil},
		"side by side now":   {"upgrade", swapped, []hit{a, meanwhile}, nil},
		"an install's order": {"install", []hit{a, b}, swapped, nil},
		"one less":           {"upgrade", []hit{a, b}, []hit{a}, &replay.Difference{Number: 2, Then: "f at patch deployments/b (step s): answered 409"}},
		"one more":           {"upgrade", []hit{a}, []hit{a, second}, &replay.Difference{Number: 2, Now: "f at patch deployments/a #2 (step s): answered 409"}},
		"another fault":      {"upgrade", []hit{a}, []hit{other}, &replay.Difference{Number: 1, Then: "f at patch deployments/a (step s): answered 409", Now: "g at patch deployments/a (step s): answered 409"}},
		"another step":       {"upgrade", []hit{b}, []hit{elsewhere}, &replay.Difference{Number: 1, Then: "f at patch deployments/b (step s): answered 409", Now: "f at patch deployments/b (step t): answered 409"}},
	} {
		got := replay.Compare(firingsOf(t, bundleOf(test.operation, test.then...)), firingsOf(t, bundleOf(test.operation, test.now...)))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
