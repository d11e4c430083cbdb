package wire_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/wire"
)

func TestMutates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request wire.Request
		want    bool
		text    string
	}{
		{wire.Request{Verb: "patch", Resource: "deployments", Name: "backend"}, true, "patch deployments/backend"},
		{wire.Request{Verb: "patch", Resource: "deployments", Name: "backend", DryRun: true}, false, "patch deployments/backend"},
		{wire.Request{Verb: "update", Resource: "deployments", Subresource: "scale", Name: "backend"}, true, "update deployments/backend (scale)"},
		{wire.Request{Verb: "create", Resource: "secrets"}, true, "create secrets"},
		{wire.Request{Verb: "deletecollection", Resource: "pods"}, true, "deletecollection pods"},
		{wire.Request{Verb: "list", Resource: "pods"}, false, "list pods"},
		{wire.Request{Verb: "watch", Resource: "pods"}, false, "watch pods"},
		{wire.Request{Verb: "delete", Path: "/logs"}, false, "delete /logs"},
	} {
		if got := test.request.Mutates(); got != test.want {
			t.Errorf("%s: mutates is %v, want %v", test.text, got, test.want)
		}
		if got := test.request.String(); got != test.text {
			t.Errorf("it reads %q, want %q", got, test.text)
		}
	}
}
