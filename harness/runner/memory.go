package runner

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what is alive, some 30 MiB, before it is collected.
const gcPercent = 400

// SpendMemory has a process that does nothing but rehearse collect garbage less often, unless GOGC says how often. Decoding what
// watches deliver makes garbage all the time: with Go's default a tenth of the harness's CPU time goes there (BenchmarkSuite,
// two cores: 45.4 s instead of 40.9 s, and a peak of 230 MiB instead of 400 MiB).
func SpendMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
