// Command gen packs the module in its first argument into the file that is its second.
package main

import (
	"fmt"
	"os"

	"rehearse.dev/rehearse/harness/cluster/embedded/internal/kubearchive"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: gen MODULE-DIR FILE")
	}
	archive, err := kubearchive.Pack(args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], archive, 0o644)
}
