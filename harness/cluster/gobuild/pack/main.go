// Command pack packs the sources in the folder that is its first argument into the file that is its second.
package main

import (
	"fmt"
	"os"

	"rehearse.dev/rehearse/harness/cluster/gobuild"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: pack FOLDER FILE")
	}
	archive, err := gobuild.Pack(args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], archive, 0o644)
}
