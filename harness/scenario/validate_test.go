package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/scenario/scenariotest"
)

// TestCharts: a chart on this machine must be there; one that has to be downloaded is left to Helm.
func TestCharts(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"chart/Chart.yaml": "name: shop\n",
		"plain/x.txt":      "",
		"shop.tgz":         "",
		"shop.txt":         "",
		"values.yaml":      "",
	})
	for release, want := range map[string]string{
		"chart: chart":                                     "",
		"chart: ./chart":                                   "",
		"chart: " + dir + "/chart":                         "",
		"chart: shop.tgz":                                  "",
		"chart: nowhere":                                   "spec.release.chart: \"nowhere\": there is no chart at",
		"chart: plain":                                     "is no chart: it has no Chart.yaml",
		"chart: shop.txt":                                  "is no chart: want a folder with a Chart.yaml, or a .tgz archive",
		"chart: \"oci://example.invalid/shop\"":            "",
		"chart: \"https://example.invalid/shop.tgz\"":      "",
		"chart: shop, repo: \"https://example.invalid\"":   "",
		"chart: ./shop, repo: \"https://example.invalid\"": "spec.release.chart: \"./shop\": there is no chart at",
		"chart: chart, valueFiles: [values.yaml]":          "",
		"chart: chart, valueFiles: [no.yaml]":              "spec.release.valueFiles[0]: the value file",
		"chart: chart, valueFiles: [plain]":                "is no regular file",
		"chart: chart, valueFiles: ['']":                   "spec.release.valueFiles[0]: must not be empty",
	} {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(fmt.Sprintf(minimal, "charts"), `chart: "oci://example.invalid/shop"`, release, 1)
			_, err := scenario.Parse(dir+"/scenario.yaml", []byte(text), scenariotest.Catalog())
			check(t, err, want)
		})
	}
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want %q in it", err, want)
	}
}

// TestSpec: each addition to a minimal spec is accepted, or refused with one mistake.
func TestSpec(t *testing.T) {
	t.Parallel()
	long := make([]string, 20_000)
	for i := range long {
		long[i] = fmt.Sprintf("Pod/p%d", i)
	}
	chain := strings.Join(long, ", ")
	for addition, want := range map[string]string{
		"assert: [{readinessOrder: {chain: [A/a, B/b, C/c]}}]":                                                                                       "",
		"assert: [{readinessOrder: {before: [{first: A/a, then: B/b}, {first: A/a, then: B/b}]}}]":                                                   "",
		"assert: [{readinessOrder: {before: [{first: A/a, then: B/b}, {first: A/a, then: C/c}, {first: B/b, then: D/d}, {first: C/c, then: D/d}]}}]": "",
		"assert: [{readinessOrder: {before: [{first: A/a, then: A/a}]}}]":                                                                            "cycle that no run can meet: A/a → A/a",
		"assert: [{readinessOrder: {chain: [A/a, B/b, C/c, B/b]}}]":                                                                                  "B/b → C/c → B/b",
		"assert: [{readinessOrder: {chain: [" + chain + "]}}]":                                                                                       "",
		"assert: [{readinessOrder: {chain: [" + chain + ", Pod/p19998]}}]":                                                                           "Pod/p19998 → Pod/p19999 → Pod/p19998",
		"readiness: [{workload: Deployment/a, jitter: 1s}]":                                                                                          "",
		"readiness: [{workload: Deployment/a, delay: 0s}]":                                                                                           "",
		"readiness: [{workload: Deployment/a, delay: -1s}]":                                                                                          "want a duration of at least 0s",
		"readiness: [{workload: Deployment/a, delay: 1s, fail: true}]":                                                                               "states delay and fail at once",
		"readiness: [{workload: Deployment/a, never: true, steps: [v1]}, {workload: Deployment/a, delay: 1s}]":                                       "",
		"readiness: [{workload: Deployment/a, delay: 1s}, {workload: Deployment/a, never: true, steps: [v1]}]":                                       "spec.readiness[1]: is never reached",
		"readiness: [{workload: Service/a, delay: 1s}]":                                                                                              "Service has no pods of its own",
		"matrix: {wait: [legacy], maxHistory: [0, 5], timeout: [30s]}":                                                                               "",
		"matrix: {timeout: [60s, 1m]}":                                                                                                               "is the same value as spec.matrix.timeout[0]",
		"matrix: {forceReplace: [yes]}":                                                                                                              "want true or false",
		"finally: [{name: v1, uninstall: {}}]":                                                                                                       `spec.finally[0].name: "v1" is the name of spec.steps[0] too`,
		"finally: [{name: end, uninstall: {}, expect: {any: true, status: uninstalled}}]":                                                            "",
		"finally: [{name: end, uninstall: {}, expect: {any: true, error: {}}}]":                                                                      "spec.finally[0].expect.error: stands beside any",
		"finally: [{name: end, act: nobody}]":                                                                                                        `there is no actor "nobody"; the scenario has none`,
		"assert: [{ledger: {at: v2}}]":                                                                                                               `spec.assert[0].ledger.at: there is no step "v2" (did you mean "v1"?)`,
		"assert: [{object: {object: Deployment/backend, sameUID: v1}}]":                                                                              "spec.assert[0].object.sameUID: is the step that is judged, since at is empty and v1 is the last step",
		"assert: [{ownership: {sameAs: v1}}]":                                                                                                        "spec.assert[0].ownership.sameAs: is the step that is judged, since at is empty and v1 is the last step",
		"assert: [{ownership: {at: v1, sameAs: v1}}]":                                                                                                "",
		"assert: [{ownership: {sameAs: v1}}]\n  finally: [{name: end, uninstall: {}}]":                                                               "spec.assert[0].ownership.sameAs: is the step that is judged",
		"assert: [{ownership: {sameAs: end}}]\n  finally: [{name: end, uninstall: {}}]":                                                              "",
		"assert: [{live: {allowExtra: [ConfigMap]}}]":                                                                                                "spec.assert[0].live.allowExtra[0]",
		"knownIssue: {issue: helm/helm, summary: x}":                                                                                                 "is no issue of the form owner/repository#number",
		"description: again": "is stated twice",
	} {
		t.Run(addition[:min(len(addition), 100)], func(t *testing.T) {
			t.Parallel()
			_, err := scenario.Parse("spec.yaml", []byte(fmt.Sprintf(minimal, "spec")+"  "+addition+"\n"), scenariotest.Catalog())
			check(t, err, want)
			if want != "" && err != nil && strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("more than one mistake: %v", err)
			}
		})
	}
}

func TestLabelsCanBeSelectedBy(t *testing.T) {
	t.Parallel()
	for labels, want := range map[string]string{
		"{area: ownership, example.com/tier: a_b.c}": "",
		"{'a b': c}":    `metadata.labels["a b"]: "a b" is no label key`,
		"{area: 'a b'}": `metadata.labels.area: "a b" is no label value`,
	} {
		text := strings.Replace(fmt.Sprintf(minimal, "labels"), "{name: labels}", "{name: labels, labels: "+labels+"}", 1)
		_, err := scenario.Parse("labels.yaml", []byte(text), scenariotest.Catalog())
		check(t, err, want)
	}
}
