package providers

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/gobuild"
	"rehearse.dev/rehearse/harness/cluster/internal/workload"
	"rehearse.dev/rehearse/harness/cluster/kind"
	"rehearse.dev/rehearse/harness/registry"
)

// newKind makes the provider kind of its settings.
func newKind(o Options, settings any) (cluster.Provider, error) {
	p, err := kindOf(settings, kind.WithFailureLogs(o.FailureLogs))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// kindVersion is the version of the node image that would be taken. Where that cannot be told, because no engine runs or
// the image's name says nothing, it is that of the image that is made here: the cluster will tell for certain.
func kindVersion(ctx context.Context, _ Options, settings any) (string, error) {
	p, err := kindOf(settings)
	if err != nil {
		return "", err
	}
	version, err := p.KubeVersion(ctx)
	if errors.Is(err, kind.ErrNoRuntime) || errors.Is(err, kind.ErrVersion) {
		return kind.KubeVersion, nil
	}
	return version, err
}

func kindOf(settings any, more ...kind.Option) (*kind.Provider, error) {
	s, ok := settings.(*v1alpha1.KindCluster)
	if !ok {
		s = &v1alpha1.KindCluster{}
	}
	opts, err := kindConfig(s)
	if err != nil {
		return nil, err
	}
	if s.Image != "" {
		opts = append(opts, kind.WithNodeImage(s.Image))
	}
	for _, image := range s.Images {
		if isArchive(image) {
			opts = append(opts, kind.WithImages(archive(image)))
		} else {
			opts = append(opts, kind.WithLocalImages(image))
		}
	}
	if !slices.Contains(s.Images, workload.Tag) { // else somebody has an image of that name
		opts = append(opts, kind.WithImages(workloadImage))
	}
	return kind.New(append(opts, more...)...), nil
}

// workloadImage is what the fixture charts run. Other charts need none of it, so having nothing to build it with is no failure.
func workloadImage(ctx context.Context, progress func(string)) ([]string, error) {
	path, err := workload.Archive(ctx, progress)
	if errors.Is(err, gobuild.ErrNoToolchain) {
		progress("the nodes go without " + workload.Tag + ", which fixture charts run: " + err.Error())
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []string{path}, nil
}

// kindConfig reads the kind configuration that the settings hold or name.
func kindConfig(s *v1alpha1.KindCluster) ([]kind.Option, error) {
	switch {
	case s.Config != nil:
		config, err := kind.ConfigOf(s.Config, "cluster.kind.config")
		return []kind.Option{kind.WithConfig(config)}, err
	case s.ConfigFile != "":
		config, err := kind.ReadConfig(s.ConfigFile)
		return []kind.Option{kind.WithConfig(config)}, err
	}
	return nil, nil
}

// validateKind tells what is wrong with the kind configuration that the settings hold or name. Of a file it tells the
// places there.
func validateKind(settings any) []registry.Problem {
	s, ok := settings.(*v1alpha1.KindCluster)
	if !ok {
		return nil
	}
	_, err := kindConfig(s)
	var wrong *kind.ConfigError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return []registry.Problem{{Path: "configFile", Message: err.Error()}}
	}
	var problems []registry.Problem
	for _, p := range wrong.Problems {
		if s.Config == nil {
			problems = append(problems, registry.Problem{Path: "configFile", Message: wrong.Place(p)})
			continue
		}
		problems = append(problems, registry.Problem{Path: strings.TrimSuffix("config."+p.Path, "."), Message: p.Message})
	}
	return problems
}

// kindFiles are the files that the settings name: a configuration, and image archives.
func kindFiles(settings any) []string {
	s, ok := settings.(*v1alpha1.KindCluster)
	if !ok {
		return nil
	}
	var all []string
	if s.ConfigFile != "" {
		all = append(all, s.ConfigFile)
	}
	for _, image := range s.Images {
		if isArchive(image) {
			all = append(all, image)
		}
	}
	return all
}

// isArchive tells an archive of images from the name of one.
func isArchive(image string) bool { return strings.HasSuffix(image, ".tar") }

// archive is an image archive that is there already.
func archive(path string) kind.Archives {
	return func(context.Context, func(string)) ([]string, error) { return []string{path}, nil }
}
