package scenario

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/schema/fields"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// maxVariants is the most variants that a matrix may make.
const maxVariants = 256

// matrix checks that every value of the matrix is legal for its option.
func (v *validator) matrix(matrix map[string][]string) {
	options := fields.Of(reflect.TypeFor[v1alpha1.Options]())
	variants := 1
	for _, key := range slices.Sorted(maps.Keys(matrix)) {
		path := strictyaml.Join("spec.matrix", key)
		option, ok := fields.Find(options, key)
		switch {
		case !ok:
			v.report(path, "the release options have no %s%s", fields.Quote(key), registry.Hint(key[:min(len(key), 60)], fields.Names(options)))
			continue
		case len(matrix[key]) == 0:
			v.report(path, "must hold at least one value")
		}
		v.values(path, option, matrix[key])
		if variants <= maxVariants {
			variants *= max(1, len(matrix[key]))
		}
	}
	if variants > maxVariants {
		v.report("spec.matrix", "makes more than %d variants; split the scenario", maxVariants)
	}
}

func (v *validator) values(path string, option fields.Field, texts []string) {
	seen := map[any]int{}
	for i, text := range texts {
		at := fmt.Sprintf("%s[%d]", path, i)
		value, err := option.Parse(text)
		if err != nil {
			v.report(at, "%s", err)
			continue
		}
		plain := reflect.Indirect(value).Interface()
		if first, taken := seen[plain]; taken {
			v.report(at, "is the same value as %s[%d]; remove one of them", path, first)
			continue
		}
		seen[plain] = i
	}
}

// charts checks that local charts and value files are there. Whether a chart renders is checked where Helm is.
func (v *validator) charts(spec *v1alpha1.Spec) {
	v.chart("spec.release", spec.Release.Chart, spec.Release.Repo)
	v.valueFiles("spec.release", spec.Release.ValueFiles)
	for path, step := range v.eachStep(spec) {
		if source, ok := chartSource(step.Do.Spec); ok {
			v.chart(path+"."+step.Do.Kind, source.Chart, spec.Release.Repo)
			v.valueFiles(path+"."+step.Do.Kind, source.ValueFiles)
		}
	}
}

func (v *validator) chart(path, chart, repo string) {
	if chart == "" || !isLocal(chart, repo) {
		return
	}
	if err := checkChart(v.local(chart)); err != nil {
		v.report(path+".chart", "%s: %s", fields.Quote(chart), err)
	}
}

// isLocal tells a folder or archive from a chart that has to be downloaded: a repository holds plain names only.
func isLocal(chart, repo string) bool {
	if strings.Contains(chart, "://") {
		return false
	}
	return repo == "" || filepath.IsAbs(chart) || strings.HasPrefix(chart, ".")
}

func (v *validator) local(path string) string { return Locate(v.file.Dir, path) }

func checkChart(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no chart at %s; a path is relative to the scenario file, and the chart of a repository needs release.repo", path)
	case err != nil:
		return fmt.Errorf("the chart at %s cannot be read: %w", path, cause(err))
	case info.IsDir() && !isChart(path):
		return fmt.Errorf("the folder %s is no chart: it has no Chart.yaml", path)
	case !info.IsDir() && filepath.Ext(path) != ".tgz" && !strings.HasSuffix(path, ".tar.gz"):
		return fmt.Errorf("%s is no chart: want a folder with a Chart.yaml, or a .tgz archive", path)
	}
	return nil
}

func (v *validator) valueFiles(path string, files []string) {
	for i, file := range files {
		info, err := os.Stat(v.local(file))
		at := fmt.Sprintf("%s.valueFiles[%d]", path, i)
		switch {
		case file == "":
			v.report(at, "must not be empty")
		case err != nil:
			v.report(at, "the value file %s cannot be read: %s; a path is relative to the scenario file", v.local(file), cause(err))
		case !info.Mode().IsRegular():
			v.report(at, "%s is no regular file", v.local(file))
		}
	}
}
