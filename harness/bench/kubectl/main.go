// Command kubectl is upstream's kubectl, built for the shell script that the benchmarks compare with. It is a module of
// its own, so that the product does not depend on it.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
)

func main() {
	os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
}
