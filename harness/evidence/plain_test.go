package evidence_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/evidence"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	b := &evidence.Bundle{Variant: evidence.Variant{Namespace: "ns"}}
	for text, want := range map[string]string{
		`install failed in ns after 1.5s`:                                       "install failed in NAMESPACE after …",
		"Get \"https://127.0.0.1:4711/api/v1/namespaces/ns\":\n  refused":       `Get "…": refused`,
		"dial tcp 127.0.0.1:4711: refused":                                      "dial tcp …: refused",
		"the object has been modified; please apply your changes to the latest": "the …",
	} {
		if got := b.Plain(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
