// Package scenariotest has a catalogue for tests of packages that the real one stands on: the same spec types, none of
// the code.
package scenariotest

import (
	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/scenario"
)

// Catalog lists operations, actors, faults, assertions and providers of every spec type.
func Catalog() scenario.Catalog {
	return scenario.Catalog{
		Operations: []registry.Info{
			info[v1alpha1.Install]("install", "name: v1\ninstall: {values: {tag: v1}}\n"),
			info[v1alpha1.Upgrade]("upgrade", "name: v2\nupgrade: {values: {tag: v2}}\n"),
			info[v1alpha1.Rollback]("rollback", "name: back\nrollback: {to: 1}\n"),
			info[v1alpha1.Uninstall]("uninstall", "name: gone\nuninstall: {keepHistory: true}\n"),
			info[v1alpha1.Test]("test", "name: tested\ntest: {timeout: 30s}\n"),
			info[v1alpha1.Act]("act", "name: scaled\nact: hpa\n"),
			info[v1alpha1.Inject]("inject", "name: break\ninject: node-gone\n"),
			info[v1alpha1.Recover]("recover", "name: mend\nrecover: node-gone\n"),
			await(),
		},
		Actors: []registry.Info{
			info[v1alpha1.Scale]("scale", "name: hpa\nscale: {workload: Deployment/backend, replicas: 5}\n"),
			info[v1alpha1.Edit]("edit", "name: admin\nedit: {object: ConfigMap/extra, merge: {data: {a: b}}}\n"),
			info[v1alpha1.Patch]("patch", "name: admin\npatch: {object: ConfigMap/extra, patch: {data: {a: b}}}\n"),
			info[v1alpha1.Apply]("apply", "name: gitops\napply: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: extra}}}\n"),
			info[v1alpha1.Delete]("delete", "name: admin\ndelete: {object: ConfigMap/extra}\n"),
			info[v1alpha1.Create]("create", "name: admin\ncreate: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: extra}}}\n"),
		},
		Faults: []registry.Info{
			info[v1alpha1.PauseNode]("pauseNode", "name: node-gone\npauseNode: {node: 1}\n"),
			info[v1alpha1.KillNode]("killNode", "name: power-cut\nkillNode: {node: 1}\n"),
			info[v1alpha1.CordonNode]("cordonNode", "name: cordoned\ncordonNode: {node: 1}\n"),
			info[v1alpha1.DrainNode]("drainNode", "name: drained\ndrainNode: {node: 1}\n"),
			info[v1alpha1.TaintNode]("taintNode", "name: tainted\ntaintNode: {node: 1}\n"),
			info[v1alpha1.DeletePod]("deletePod", "name: pod-gone\ndeletePod: {workload: StatefulSet/db}\n"),
			info[v1alpha1.EvictPod]("evictPod", "name: evicted\nevictPod: {workload: StatefulSet/db}\n"),
			info[v1alpha1.CrashContainer]("crashContainer", "name: crashed\ncrashContainer: {workload: StatefulSet/db}\n"),
			info[v1alpha1.UnpullableImage]("unpullableImage", "name: no-image\nunpullableImage: {workload: StatefulSet/db}\n"),
			info[v1alpha1.Webhook]("webhook", "name: guard\nwebhook: {down: true, match: {resources: [deployments]}}\n"),
			info[v1alpha1.DenyAdmission]("denyAdmission", "name: denied\ndenyAdmission: {resources: [deployments]}\n"),
			info[v1alpha1.Quota]("quota", "name: full\nquota: {hard: {pods: 4}}\n"),
			info[v1alpha1.BlockEvictions]("blockEvictions", "name: guarded\nblockEvictions: {workload: StatefulSet/db}\n"),
			info[v1alpha1.PendingVolume]("pendingVolume", "name: no-volume\npendingVolume: {claim: data-db-0}\n"),
			info[v1alpha1.API]("api", "name: api-busy\napi: {respond: {status: 429}}\n"),
			info[v1alpha1.RevokeAccess]("revokeAccess", "name: refused\nrevokeAccess: {verbs: [patch]}\n"),
			info[v1alpha1.StickFinalizer]("stickFinalizer", "name: stuck\nstickFinalizer: {object: ConfigMap/extra}\n"),
			info[v1alpha1.TerminateNamespace]("terminateNamespace", "name: going\nterminateNamespace: {}\n"),
			info[v1alpha1.ReleaseSecret]("releaseSecret", "name: lost\nreleaseSecret: {becomes: deleted}\n"),
			info[v1alpha1.LeftoverHook]("leftoverHook", "name: stale\nleftoverHook: {hook: Job/migrate}\n"),
			info[v1alpha1.PauseAPIServer]("pauseAPIServer", "name: api-frozen\npauseAPIServer: {}\n"),
			info[v1alpha1.KillAPIServer]("killAPIServer", "name: api-gone\nkillAPIServer: {}\n"),
			info[v1alpha1.SlowEtcd]("slowEtcd", "name: slow\nslowEtcd: {}\n"),
			info[v1alpha1.API]("api", "name: busy\napi: {match: {verb: patch}, respond: {status: 429}}\n"),
		},
		Assertions: []registry.Info{
			info[v1alpha1.Ownership]("ownership", "ownership: {object: Deployment/backend, field: .spec.replicas, managers: [hpa]}\n"),
			info[v1alpha1.ReadinessOrder]("readinessOrder", "readinessOrder: {chain: [StatefulSet/db, Deployment/backend]}\n"),
			info[v1alpha1.Ledger]("ledger", "ledger: {}\n"),
			info[v1alpha1.Live]("live", "live: {}\n"),
			info[v1alpha1.RecoveryTime]("recoveryTime", "recoveryTime: {of: back, max: 60s}\n"),
			info[v1alpha1.ObjectMatch]("object", "object: {object: ConfigMap/extra, absent: true}\n"),
			info[v1alpha1.Events]("events", "events: {reason: BackOff, max: 0}\n"),
			info[v1alpha1.Firings]("firings", "firings: {fault: crashing, min: 3}\n"),
			info[v1alpha1.Requests]("requests", "requests: {verb: patch, max: 0}\n"),
		},
		Providers: []registry.Info{
			info[v1alpha1.EmbeddedCluster]("embedded", "cluster: {provider: embedded}\n"),
			info[v1alpha1.KindCluster]("kind", "cluster: {provider: kind}\n"),
		},
	}
}

func info[S any](name, example string) registry.Info {
	return registry.Info{Name: name, Summary: "Tests " + name + ".", Example: example, NewSpec: func() any { return new(S) }}
}

// await checks its spec, as an entry of the real catalogue may: what only it can know, and what a format says too.
func await() registry.Info {
	i := info[v1alpha1.Await]("await", "name: settled\nawait: {object: Deployment/backend, status: Current}\n")
	i.Validate = func(spec any) []registry.Problem {
		a, ok := spec.(*v1alpha1.Await)
		if !ok {
			return nil
		}
		var problems []registry.Problem
		if _, err := ref.Parse(a.Object); err != nil {
			problems = append(problems, registry.Problem{Path: "object", Message: err.Error()})
		}
		if a.Status == "" && a.Condition == nil && a.Field == nil {
			problems = append(problems, registry.Problem{Path: "status", Message: "nothing is awaited; state a status, a condition or a field"})
		}
		return problems
	}
	return i
}
