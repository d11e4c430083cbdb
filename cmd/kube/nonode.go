//go:build !node

package main

// nodePrograms is empty without the build tag node, so that the embedded control plane does not pay for compiling them.
func nodePrograms() []component { return nil }
