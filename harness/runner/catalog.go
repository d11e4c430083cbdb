package runner

import (
	"rehearse.dev/rehearse/harness/actor"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/fault"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/scenario"
)

// Catalog lists what a scenario can name: the registries, without their code.
func Catalog() scenario.Catalog {
	return scenario.Catalog{
		Operations: Operations().Infos(),
		Actors:     actor.Registry().Infos(),
		Faults:     faultsByProvider(),
		Assertions: assert.Registry().Infos(),
		Providers:  providers.Registry().Infos(),
	}
}

// faultsByProvider are the kinds of faults, each with the providers on which it can be had.
func faultsByProvider() []registry.Info {
	infos := fault.Registry().Infos()
	all := places()
	for i := range infos {
		// Each kind is registered; one that cannot say it leaves it unsaid, and fails a test.
		infos[i].Where, _ = fault.Where(infos[i].Name, all)
	}
	return infos
}

// places are the providers, as far as faults are concerned.
func places() []fault.Place {
	registered := providers.Registry()
	var all []fault.Place
	for _, name := range registered.Names() {
		if provider, err := registered.Lookup(name); err == nil {
			all = append(all, fault.Place{Name: name, Clusters: provider.Code.Clusters, Lacks: provider.Code.Lacks})
		}
	}
	return all
}
