package rehearsetest

import (
	"fmt"
	"os"

	"rehearse.dev/rehearse/harness/release"
)

// Helm is a program that acts as helm for scenarios with driver cli. OwnHelm makes one.
type Helm struct{ path string }

// OwnHelm lets driver cli run the test binary again as helm. It has to be called first of all in TestMain: in a process that
// was started to act as helm it does that, and ends the process. Hand what it returns to WithHelm.
func OwnHelm() Helm {
	if code, asked := release.OwnHelm(os.Args[1:], os.Stdout, os.Stderr); asked {
		os.Exit(code)
	}
	path, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearsetest: find the test binary:", err)
		os.Exit(1)
	}
	return Helm{path: path}
}

// WithHelm has driver cli run this helm where a scenario names none. Without it such a scenario is errored.
func WithHelm(h Helm) Option { return func(o *options) { o.helm = h } }
