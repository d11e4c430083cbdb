package main

import (
	"os"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/kind"
)

// TestMakefileNamesNodeImage: where the Makefile asked for another image than kind clusters take, the lane on kind would be
// left out without a word.
func TestMakefileNamesNodeImage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Makefile")
	if err != nil || !strings.Contains(string(text), "KIND_RUNS = docker image inspect "+kind.OwnImage+" ") {
		t.Errorf("the Makefile does not ask for %s, or cannot be read: %v", kind.OwnImage, err)
	}
}
