package runner

import (
	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/scenario"
)

// Catalog lists what a scenario can name: the registries, without their code.
func Catalog() scenario.Catalog {
	return scenario.Catalog{
		Operations: Operations().Infos(),
		Actors:     actor.Registry().Infos(),
		Faults:     fault.Registry().Infos(),
		Assertions: assert.Registry().Infos(),
		Providers:  providers.Registry().Infos(),
	}
}
