package runner

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"slices"

	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/scenario"
)

// chartInputs are what the charts of a plan and their value files come from.
func chartInputs(digests map[string]string) []plan.Input {
	var all []plan.Input
	for name, digest := range digests {
		all = append(all, plan.Input{Name: name, Digest: digest})
	}
	return all
}

// digests are those of files that were read already, by path: variants name the same ones, and archives are large.
type digests map[string]string

// fileInputs are the other files that a plan reads: helm commands, and what its cluster is made with. One that cannot be
// read is left out: whoever needs it says so.
func (d digests) fileInputs(p plan.Plan) ([]plan.Input, error) {
	provider, err := providers.Registry().Lookup(p.Needs.Provider)
	if err != nil {
		return nil, err
	}
	named := map[string]string{} // paths by what the files are called
	if provider.Code.Files != nil {
		for _, path := range provider.Code.Files(p.Needs.Settings()) {
			named["file "+path] = path
		}
	}
	if p.Scenario.Spec.Release.Driver == scenario.DriverCLI {
		for _, spec := range operations(p) {
			if which, ok := helmOf(spec); ok && which.Path != "" {
				named["helm "+which.Path] = scenario.Locate(p.Dir, which.Path)
			}
		}
	}
	var all []plan.Input
	for name, path := range named {
		if digest, err := d.of(path); err == nil {
			all = append(all, plan.Input{Name: name, Digest: digest})
		}
	}
	return all, nil
}

func (d digests) of(path string) (string, error) {
	if known, ok := d[path]; ok {
		return known, nil
	}
	digest, err := digestOf(path)
	if err == nil {
		d[path] = digest
	}
	return digest, err
}

func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// sortedInputs sorts inputs by name and drops those that occur again.
func sortedInputs(all []plan.Input) []plan.Input {
	slices.SortFunc(all, func(a, b plan.Input) int { return cmp.Compare(a.Name, b.Name) })
	return slices.Compact(all)
}
