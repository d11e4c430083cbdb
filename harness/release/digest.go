package release

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

// inputsOf are the contents of what an operation reads, its chart and its value files, by what the scenario calls them.
func (c Charts) inputsOf(l *loaded, rel v1alpha1.Release, src v1alpha1.ChartSource) (map[string]string, error) {
	name := "chart " + or(src.Chart, rel.Chart)
	if version := or(src.Version, rel.Version); version != "" {
		name += " " + version
	}
	content, err := contentOf(l.chart)
	if err != nil {
		return nil, fmt.Errorf("%s: telling its content: %w", name, err)
	}
	all := map[string]string{name: string(content)}
	for _, file := range slices.Concat(rel.ValueFiles, src.ValueFiles) {
		data, err := os.ReadFile(c.path(file))
		if err != nil {
			return nil, fmt.Errorf("value file %s: %w", file, err)
		}
		all["value file "+file] = string(data)
	}
	return all, nil
}

// digests turns contents into digests, in which the values of the Secrets that were rendered have no part: else they
// could be guessed from one.
func digests(contents map[string]string, rendered []map[string]any) (map[string]string, error) {
	redactor, err := evidence.NewRedactor()
	if err != nil {
		return nil, err
	}
	redactor.Learn(rendered...)
	all := map[string]string{}
	for name, content := range contents {
		sum := sha256.Sum256(evidence.RedactedText.ReplaceAll([]byte(redactor.Text(content)), []byte("a secret value")))
		all[name] = "sha256:" + hex.EncodeToString(sum[:])
	}
	return all, nil
}

// content is what a chart consists of, whatever its version and wherever it came from: a folder and an archive of it have
// the same.
type content struct {
	Metadata     map[string]any
	Values       map[string]any
	Schema       string
	Files        []file
	Dependencies []json.RawMessage
}

type file struct{ Name, Data string }

func contentOf(ch chart.Charter) (json.RawMessage, error) {
	ac, err := chart.NewAccessor(ch)
	if err != nil {
		return nil, err
	}
	all := content{Metadata: ac.MetadataAsMap(), Values: ac.Values(), Schema: string(ac.Schema()), Files: append(files(ac.Templates()), files(ac.Files())...)}
	slices.SortFunc(all.Files, func(a, b file) int { return cmp.Compare(a.Name, b.Name) })
	for _, dependency := range ac.Dependencies() {
		one, err := contentOf(dependency)
		if err != nil {
			return nil, err
		}
		all.Dependencies = append(all.Dependencies, one)
	}
	slices.SortFunc(all.Dependencies, func(a, b json.RawMessage) int { return slices.Compare(a, b) })
	return json.Marshal(all)
}

func files(of []*common.File) []file {
	all := make([]file, len(of))
	for i, f := range of {
		all[i] = file{f.Name, string(f.Data)}
	}
	return all
}
