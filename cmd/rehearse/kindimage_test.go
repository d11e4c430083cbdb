package main

import (
	"strings"
	"testing"
	"time"

	"rehearse.dev/rehearse/harness/cluster/kind/nodeimage"
)

// TestPrintPhases: the table says what was built, or that nothing was.
func TestPrintPhases(t *testing.T) {
	t.Parallel()
	cached, built := nodeimage.Phase{Name: "CoreDNS", Cached: true}, nodeimage.Phase{Name: "image", Took: 23 * time.Second}
	for name, test := range map[string]struct {
		phases []nodeimage.Phase
		want   string
	}{
		"something is built": {[]nodeimage.Phase{cached, built}, "CoreDNS  cached  0s\nimage    built   23s\ntotal            24s\n"},
		"nothing is built":   {[]nodeimage.Phase{cached}, "CoreDNS  cached               0s\ntotal    nothing was rebuilt  24s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			err := printPhases(&out, nodeimage.Result{Phases: test.phases, Took: 24 * time.Second})
			if err != nil || out.String() != test.want {
				t.Errorf("%v, printed\n%s", err, out.String())
			}
		})
	}
}
