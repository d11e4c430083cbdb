// Command testsum turns the output of go test -json into something to read: a line per package, the whole output of
// what failed, every skip with its reason, and a closing count. It exits with 1 if a test failed, if none ran, if the
// stream ends early, or, with REHEARSE_NO_SKIPS=1, if a test was skipped for another reason than one that contains
// REHEARSE_MAY_SKIP.
package main

import (
	"fmt"
	"os"
)

func main() {
	sum, err := summarise(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
	noSkips := os.Getenv("REHEARSE_NO_SKIPS") == "1"
	problems := sum.problems(noSkips, os.Getenv("REHEARSE_MAY_SKIP"))
	for _, p := range problems {
		fmt.Println("testsum:", p)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, len(sum.skips))
	if len(problems) > 0 {
		os.Exit(1)
	}
}
