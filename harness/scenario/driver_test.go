package scenario_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
)

// TestDriver: which helm commands and client faults a scenario may state, by its driver.
func TestDriver(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"helm": "#!/bin/sh\n", "plain": ""})
	if err := os.Chmod(dir+"/helm", 0o755); err != nil {
		t.Fatal(err)
	}
	const (
		cli   = "driver: cli"
		steps = "\n  steps: [{name: v1, install: {}, during: [f]}]\n  faults: [{name: f, %s}]"
	)
	for _, test := range []struct{ release, rest, want string }{
		{cli + ", helm: 4.2.0", "", ""},
		{cli + ", helm: v3.22.0-rc.1", "", ""},
		{cli + ", helm: {path: helm}", "", ""},
		{cli, "\n  matrix: {helm: [4.3.1, 4.2.0]}", ""},
		{cli + ", helm: {path: plain}", "", "/plain is no executable file"},
		{cli + ", helm: {path: none}", "", "/none cannot be read"},
		{cli + ", helm: {}", "", "spec.release.helm: want one of version and path"},
		{cli + ", helm: {path: helm, version: 4.2.0}", "", "spec.release.helm: want one of version and path"},
		{cli + ", helm: 2.17.0", "", `spec.release.helm: "2.17.0" is no version of Helm 3 or 4`},
		{cli, "\n  matrix: {helm: [latest]}", `spec.matrix.helm[0]: "latest" is no version`},
		{"helm: 4.2.0", "", "spec.release.helm: needs release.driver: cli"},
		{"driver: sdk, options: {helm: 4.2.0}", "", "spec.release.options.helm: needs release.driver: cli"},
		{"driver: sdk", "\n  finally: [{name: z, rollback: {helm: 4.2.0}}]", "spec.finally[0].rollback.helm: needs release.driver: cli"},
		{cli, fmt.Sprintf(steps, "signalHelm: {signal: KILL, after: {nth: 2}}"), ""},
		{cli, fmt.Sprintf(steps, "after: 1s, signalHelm: KILL"), ""},
		{cli, fmt.Sprintf(steps, "signalHelm: KILL"), "spec.faults[0].signalHelm: says not when it acts"},
		{cli, fmt.Sprintf(steps, "signalHelm: {signal: KILL, for: 1s, after: {}}"), "spec.faults[0].signalHelm.for: is for signal STOP alone"},
		{cli, fmt.Sprintf(steps, "signalHelm: {signal: KILL, before: {}, after: {}}"), "states more than one of before, after and when"},
		{cli, fmt.Sprintf(steps, "signalHelm: {signal: KILL, before: {probability: 101}}"), "spec.faults[0].signalHelm.before.probability: is more than 100 percent"},
		{"driver: sdk", fmt.Sprintf(steps, "signalHelm: {signal: KILL, after: {nth: 2}}"), "spec.faults[0].signalHelm: needs release.driver: cli"},
		{"driver: sdk", fmt.Sprintf(steps, "cancelHelm: {after: {nth: 2}}"), ""},
		{"driver: sdk", fmt.Sprintf(steps, "cancelHelm: {as: timedOut, after: {nth: 2}}"), ""},
		{cli, fmt.Sprintf(steps, "cancelHelm: {as: timedOut, after: {nth: 2}}"), "spec.faults[0].cancelHelm.as: needs release.driver: sdk"},
		{cli, fmt.Sprintf(steps, "afterRequest: {nth: 2}, signalHelm: KILL"), "spec.faults[0].afterRequest: is not for faults of Helm itself; state their own after instead, as in signalHelm: {after: …}"},
		{"driver: sdk", fmt.Sprintf(steps, "afterRequest: {nth: 2}, deletePod: {workload: Deployment/a}"), ""},
		{"driver: sdk", fmt.Sprintf(steps, "rivalHelm: {after: {nth: 2}}"), "spec.faults[0].rivalHelm: want one of upgrade, rollback and uninstall"},
		{"driver: sdk", fmt.Sprintf(steps, "rivalHelm: {after: {nth: 2}, rollback: {helm: 4.2.0}}"), "spec.faults[0].rivalHelm.rollback.helm: needs release.driver: cli"},
		{"driver: sdk", fmt.Sprintf(steps, "rivalHelm: {after: {nth: 2}, upgrade: {chart: none}}"), "spec.faults[0].rivalHelm.upgrade.chart"},
	} {
		t.Run(test.release+test.rest, func(t *testing.T) {
			t.Parallel()
			text := fmt.Sprintf(minimal, "charts")
			text = strings.Replace(text, `chart: "oci://example.invalid/shop"`, `chart: "oci://example.invalid/shop", `+test.release, 1)
			if strings.Contains(test.rest, "steps:") {
				text = text[:strings.Index(text, "  steps:")]
			}
			_, err := scenario.Parse(dir+"/scenario.yaml", []byte(strings.TrimRight(text, "\n")+test.rest+"\n"), runner.Catalog())
			check(t, err, test.want)
		})
	}
}
