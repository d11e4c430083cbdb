// Package sample holds one made-up run, with evidence, for the tests of every report: a rollback that takes a field
// back from an autoscaler, beside variants of every other outcome.
package sample

import (
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

// Started is when the sample run started.
func Started() time.Time { return time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC) }

// FailedDir is the folder of the variant that failed, the one with the richest evidence.
const FailedDir = "scaler-survives-rollback.forceConflicts-true"

// Run is the sample run. Its evidence is that of Bundles.
func Run() verdict.Run {
	return verdict.Run{
		ID:       "20260504-093000-4f2a",
		Started:  Started(),
		Duration: 41_870 * time.Millisecond,
		Status:   verdict.Failed,
		ExitCode: verdict.ExitFailed,
		Versions: map[string]string{"helm": "v4.3.1", "kubernetes": "v1.36.3", "rehearse": "v0.1.0"},
		Args:     []string{"run", "scenarios/", "--parallel", "4"},
		Seed:     42,
		Variants: []verdict.Variant{cleanRollback(), scalerKept(), scalerLost(), slowDatabase(), brokenChart(), needsKind()},
	}
}

func cleanRollback() verdict.Variant {
	const file = "scenarios/ownership/clean-rollback.yaml"
	return verdict.Variant{
		Scenario: "clean-rollback", Description: "A rollback after an upgrade that became Current restores every field and every owner.",
		File: file, Seed: 42, Dir: "clean-rollback", Started: Started().Add(3 * time.Second), Duration: 6_210 * time.Millisecond,
		Status: verdict.Passed, Recovery: map[string]time.Duration{"back": 1_480 * time.Millisecond},
		Requests: &verdict.Requests{Total: 61, ByVerb: map[string]int{"get": 34, "patch": 12, "create": 6, "list": 5, "watch": 4}},
		Verdicts: []verdict.Verdict{
			step("v1", file, 12, 1_930*time.Millisecond),
			step("v2", file, 13, 1_610*time.Millisecond),
			step("back", file, 14, 1_520*time.Millisecond),
			{Name: "ownership sameAs v1", Kind: "ownership", Step: "back", Status: verdict.Passed, File: file, Line: 16},
			{Name: "ledger", Kind: "ledger", Step: "back", Status: verdict.Passed, File: file, Line: 17},
			{Name: "live", Kind: "live", Step: "back", Status: verdict.Passed, File: file, Line: 18},
		},
	}
}

const scalerFile = "scenarios/ownership/scaler-survives-rollback.yaml"

func scalerKept() verdict.Variant {
	v := scaler("false", "scaler-survives-rollback.forceConflicts-false")
	v.Status = verdict.Passed
	v.Verdicts[5] = verdict.Verdict{
		Name: "the scaler owns replicas", Kind: "ownership", Step: "back", Status: verdict.Passed,
		KnownIssue: "k3s-io/helm-controller#343", File: scalerFile, Line: 24,
	}
	v.Verdicts[7].Status, v.Verdicts[7].Message = verdict.Passed, ""
	return v
}

func scalerLost() verdict.Variant { return scaler("true", FailedDir) }

func scaler(force, dir string) verdict.Variant {
	return verdict.Variant{
		Scenario: "scaler-survives-rollback", Variant: "forceConflicts=" + force,
		Description: "A rollback must not take replicas back from the autoscaler.",
		File:        scalerFile, Seed: 42, Matrix: map[string]string{"forceConflicts": force},
		Dir: dir, Started: Started().Add(3 * time.Second), Duration: 18_400 * time.Millisecond, Status: verdict.Failed,
		Recovery: map[string]time.Duration{"v2": 4_020 * time.Millisecond, "back": 5_890 * time.Millisecond},
		Requests: &verdict.Requests{Total: 58, ByVerb: map[string]int{"get": 30, "patch": 14, "create": 6, "list": 5, "watch": 3}, Refused: 1, Faulted: 2},
		Verdicts: []verdict.Verdict{
			step("v1", scalerFile, 17, 4_310*time.Millisecond),
			step("scaled", scalerFile, 18, 1_240*time.Millisecond),
			step("v2", scalerFile, 19, 4_150*time.Millisecond),
			step("back", scalerFile, 20, 6_030*time.Millisecond),
			{Name: "ledger", Kind: "ledger", Step: "back", Status: verdict.Passed, File: scalerFile, Line: 23},
			{
				Name: "the scaler owns replicas", Kind: "ownership", Step: "back", Status: verdict.Failed,
				Message: "Deployment/backend .spec.replicas: expected exactly hpa (Update, scale) to own it, but helm (Apply) does, " +
					"since step back at +10.612s; hpa owned it from step scaled to step v2",
				KnownIssue: "k3s-io/helm-controller#343",
				Evidence:   []int64{22, 42}, File: scalerFile, Line: 24,
			},
			{Name: "db before backend before frontend", Kind: "readinessOrder", Step: "back", Status: verdict.Passed, File: scalerFile, Line: 28},
			{
				Name: "replicas stay at 5", Kind: "object", Step: "back", Status: verdict.Failed,
				Message:  "Deployment/backend .spec.replicas: expected 5, found 2, set by helm (Apply) in step back at +10.612s",
				Evidence: []int64{42}, File: scalerFile, Line: 29,
			},
		},
	}
}

func slowDatabase() verdict.Variant {
	const file = "scenarios/readiness/slow-database.yaml"
	return verdict.Variant{
		Scenario: "slow-database", Description: "Dependents wait for a database that is slow to become ready.",
		File: file, Seed: 42, Dir: "slow-database", Started: Started().Add(9 * time.Second), Duration: 9_050 * time.Millisecond,
		Status: verdict.Inconclusive,
		Verdicts: []verdict.Verdict{
			step("v1", file, 15, 8_120*time.Millisecond),
			{
				Name: "order from annotations", Kind: "readinessOrder", Step: "v1", Status: verdict.Inconclusive,
				Message: "no object of the release carries config.kubernetes.io/depends-on: there is no order to judge", File: file, Line: 21,
			},
		},
	}
}

func brokenChart() verdict.Variant {
	const file = "scenarios/faults/api-gone.yaml"
	return verdict.Variant{
		Scenario: "api-gone", Description: "The API server goes away in the middle of an upgrade.",
		File: file, Seed: 42, Dir: "api-gone", Started: Started().Add(20 * time.Second), Duration: 12_700 * time.Millisecond,
		Status: verdict.Errored, Reason: "cluster: kube-apiserver exited with status 1 after 2.1s; its last line: \"unable to bind <127.0.0.1:40211>\"",
		Verdicts: []verdict.Verdict{
			step("v1", file, 11, 2_010*time.Millisecond),
			{
				Name: "v2", Kind: "step", Step: "v2", Status: verdict.Errored, Duration: 10 * time.Second,
				Message: "upgrade: Kubernetes cluster unreachable: connection refused", File: file, Line: 12,
			},
			{Name: "back", Kind: "step", Step: "back", Status: verdict.Skipped, Message: "not reached: step v2 ended the run", File: file, Line: 13},
		},
	}
}

func needsKind() verdict.Variant {
	return verdict.Variant{
		Scenario: "real-probes", Description: "Real kubelets probe the shop's containers.",
		File: "scenarios/readiness/real-probes.yaml", Seed: 42, Started: Started().Add(33 * time.Second),
		Status: verdict.Skipped, Reason: "needs a container runtime, and none answers on this machine",
	}
}

func step(name, file string, line int, took time.Duration) verdict.Verdict {
	return verdict.Verdict{Name: name, Kind: "step", Step: name, Status: verdict.Passed, File: file, Line: line, Duration: took}
}
