package main

import (
	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
)

// catalog lists what a scenario can name: the registries, without their code.
func catalog() scenario.Catalog {
	return scenario.Catalog{
		Operations: runner.Operations().Infos(),
		Actors:     actor.Registry().Infos(),
		Assertions: assert.Registry().Infos(),
	}
}
