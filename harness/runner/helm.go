package runner

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/helmcmd"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/release"
	"rehearse.dev/rehearse/harness/scenario"
)

// helmCommands are those that a variant runs, by what its steps say of them; of the zero Helm it is the program's own.
type helmCommands map[v1alpha1.Helm]release.Command

// findHelm finds the helm commands of a plan, and builds what has to be built: a step has no time for that.
func (r *run) findHelm(ctx context.Context, p plan.Plan, tell progress.Scope) (helmCommands, error) {
	if p.Scenario.Spec.Release.Driver != scenario.DriverCLI {
		return nil, nil
	}
	finder := helmcmd.Finder{Own: r.cfg.OwnHelm, Progress: tell.WaitingFor}
	all := helmCommands{}
	for _, spec := range operations(p) {
		which, ok := helmOf(spec)
		if _, found := all[which]; found || !ok {
			continue
		}
		command, err := finder.Find(ctx, &which, p.Dir)
		if err != nil {
			return nil, fmt.Errorf("%w: finding a helm command: %w", ErrHarness, err)
		}
		all[which] = command
	}
	return all, nil
}

// operations are the specs of all that a plan does, second Helms included.
func operations(p plan.Plan) []any {
	var all []any
	for _, step := range slices.Concat(p.Steps, p.Finally) {
		all = append(all, step.Spec)
	}
	for _, f := range p.Scenario.Spec.Faults {
		if rival, ok := f.Do.Spec.(*v1alpha1.RivalHelm); ok {
			for _, operation := range rival.Operations() {
				all = append(all, operation.Spec)
			}
		}
	}
	return all
}

// versionsOf are the versions that a variant's evidence names. With driver cli Helm's are those of the commands that its
// steps run, in that order.
func (r *run) versionsOf(p plan.Plan) map[string]string {
	all := map[string]string{}
	maps.Copy(all, r.cfg.Versions)
	if p.Scenario.Spec.Release.Driver != scenario.DriverCLI {
		return all
	}
	var used []string
	for _, step := range slices.Concat(p.Steps, p.Finally) {
		which, ok := helmOf(step.Spec)
		version := cmp.Or(which.Path, all[helmVersion])
		if which.Version != "" {
			version = "v" + which.Version
		}
		if ok && !slices.Contains(used, version) {
			used = append(used, version)
		}
	}
	all[helmVersion] = strings.Join(used, ", ")
	return all
}

// find is a release.Find.
func (all helmCommands) find(_ context.Context, which *v1alpha1.Helm) (release.Command, error) {
	if which == nil {
		which = &v1alpha1.Helm{}
	}
	command, ok := all[*which]
	if !ok {
		return command, fmt.Errorf("%w: no helm command was made ready for %+v", ErrHarness, *which)
	}
	return command, nil
}

// helmOf is the helm command that a resolved operation is to be run with; it reports false if the operation runs none.
func helmOf(spec any) (v1alpha1.Helm, bool) {
	v := reflect.ValueOf(spec)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return v1alpha1.Helm{}, false
	}
	field := v.Elem().FieldByName("Helm")
	if !field.IsValid() {
		return v1alpha1.Helm{}, false
	}
	which, ok := field.Interface().(*v1alpha1.Helm)
	if which == nil {
		which = &v1alpha1.Helm{}
	}
	return *which, ok
}

// target is the release as Helm is to see it.
func (s *stage) target() (release.Target, error) {
	spec := s.plan.Scenario.Spec.Release
	target := release.Target{
		RESTConfig:   s.access,
		Kubeconfig:   s.arena.cluster.KubeconfigPath(),
		CacheDir:     s.arena.cluster.CacheDir(),
		HomeDir:      s.helmHome(),
		Namespace:    s.scope.Namespace,
		Name:         spec.Name,
		FieldManager: spec.FieldManager,
		BaseDir:      s.plan.Dir,
		Release:      spec,
		Log:          slog.New(slog.DiscardHandler),
		Note:         s.noteProcess,
	}
	if s.gateway == nil || spec.Driver != scenario.DriverCLI {
		return target, nil
	}
	if err := os.MkdirAll(target.HomeDir, 0o700); err != nil {
		return target, fmt.Errorf("making a home for helm: %w", err)
	}
	target.Kubeconfig = filepath.Join(target.HomeDir, "kubeconfig")
	return target, s.gateway.WriteKubeconfig(target.Kubeconfig, target.Namespace, s.access.Impersonate.UserName)
}

// helmHome is the home of the stage's helm commands, which goes with the stage.
func (s *stage) helmHome() string {
	return filepath.Join(s.arena.cluster.CacheDir(), "helm-cli", journal.DirPrefix+s.scope.Namespace)
}

func (s *stage) openHelm(ctx context.Context) error {
	err := s.noteHome()
	if err != nil {
		return err
	}
	if s.access, err = s.accessOfHelm(ctx); err != nil {
		return err
	}
	target, err := s.target()
	if err != nil {
		return err
	}
	if s.helm, err = s.newDriver(target); err != nil {
		return err
	}
	s.atWork = &helmAtWork{stage: s}
	s.observer, err = release.NewObserver(s.arena.cluster.RESTConfig(), target.Namespace, target.Name)
	return err
}

// newDriver is a driver of the scenario's kind. One runs one operation at a time.
func (s *stage) newDriver(target release.Target) (release.Driver, error) {
	if s.plan.Scenario.Spec.Release.Driver == scenario.DriverCLI {
		return release.OpenCLI(target, s.commands.find)
	}
	return release.Open(target)
}
