package observe_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/observe"
)

func BenchmarkSnapshot(b *testing.B) {
	sub, err := shared.Subscribe(b.Context(), observe.Scope{Namespace: "default", Release: "shop"}, &sink{})
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Close()
	for b.Loop() {
		if _, err := sub.Snapshot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
