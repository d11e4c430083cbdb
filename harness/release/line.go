package release

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// ErrUnknownOption says that a helm command does not know an option that an operation states.
var ErrUnknownOption = errors.New("not an option of this helm command")

// line is the command line of one operation.
type line struct {
	target  Target
	major   int
	version string
	// dir is where value files are written.
	dir  string
	args []string
}

func (l *line) add(args ...string) { l.args = append(l.args, args...) }

func (l *line) addIf(stated bool, flag string) {
	if stated {
		l.add(flag)
	}
}

// renamed adds a flag that Helm 3 has under another name.
func (l *line) renamed(stated bool, now, three string) {
	if l.major < 4 {
		now = three
	}
	l.addIf(stated, now)
}

func (l *line) unknown(option, instead string) error {
	return fmt.Errorf("%w: helm %s does not know %s; %s", ErrUnknownOption, l.version, option, instead)
}

func (l *line) begin(operation string, args ...string) {
	l.add(operation, l.target.Name)
	l.add(args...)
	l.add("--namespace", l.target.Namespace, "--kubeconfig", l.target.Kubeconfig)
}

func (l *line) install(ctx context.Context, spec v1alpha1.Install) error {
	o := resolve(ctx, spec.Options)
	l.begin("install", l.chart(spec.ChartSource))
	if o.serverSide == "auto" && l.major >= 4 {
		o.serverSide = "true" // helm install knows true and false alone
	}
	l.addIf(isTrue(spec.SkipCRDs), "--skip-crds")
	l.addIf(o.takeOwnership, "--take-ownership")
	l.renamed(isTrue(spec.RollbackOnFailure), "--rollback-on-failure", "--atomic")
	return errors.Join(l.source(spec.ChartSource), l.applying(o), l.waiting(o))
}

func (l *line) upgrade(ctx context.Context, spec v1alpha1.Upgrade) error {
	o := resolve(ctx, spec.Options)
	l.begin("upgrade", l.chart(spec.ChartSource))
	l.addIf(isTrue(spec.Install), "--install")
	l.addIf(isTrue(spec.ReuseValues), "--reuse-values")
	l.addIf(isTrue(spec.ResetValues), "--reset-values")
	l.addIf(o.takeOwnership, "--take-ownership")
	l.renamed(isTrue(spec.RollbackOnFailure), "--rollback-on-failure", "--atomic")
	l.history(o)
	return errors.Join(l.source(spec.ChartSource), l.applying(o), l.waiting(o))
}

func (l *line) rollback(ctx context.Context, spec v1alpha1.Rollback) error {
	o := resolve(ctx, spec.Options)
	var to []string
	if spec.To > 0 {
		to = append(to, strconv.Itoa(spec.To))
	}
	l.begin("rollback", to...)
	l.history(o)
	return errors.Join(l.applying(o), l.waiting(o))
}

func (l *line) uninstall(ctx context.Context, spec v1alpha1.Uninstall) error {
	o := resolve(ctx, spec.Options)
	l.begin("uninstall")
	l.addIf(isTrue(spec.KeepHistory), "--keep-history")
	o.waitForJobs = false // not known to it
	return l.waiting(o)
}

func (l *line) test(ctx context.Context, spec v1alpha1.Test) error {
	o := resolve(ctx, v1alpha1.Options{Timeout: spec.Timeout})
	l.begin("test")
	l.add("--timeout", o.timeout.String())
	return nil
}

// history adds what upgrade and rollback know.
func (l *line) history(o settings) {
	l.add("--history-max", strconv.Itoa(o.maxHistory))
	l.addIf(o.cleanupOnFail, "--cleanup-on-fail")
}

// applying says how objects are written.
func (l *line) applying(o settings) error {
	l.renamed(o.forceReplace, "--force-replace", "--force")
	if l.major >= 4 {
		l.add("--server-side=" + o.serverSide)
		l.addIf(o.forceConflicts, "--force-conflicts")
		return nil
	}
	var errs []error
	if o.serverSide == "true" {
		errs = append(errs, l.unknown("serverSide", "leave it out: Helm 3 applies on the client's side"))
	}
	if o.forceConflicts {
		errs = append(errs, l.unknown("forceConflicts", "leave it out: Helm 3 applies on the client's side"))
	}
	return errors.Join(errs...)
}

// waiting says what is waited for, and how long.
func (l *line) waiting(o settings) error {
	l.add("--timeout", o.timeout.String())
	l.addIf(o.disableHooks, "--no-hooks")
	l.addIf(o.waitForJobs, "--wait-for-jobs")
	switch {
	case l.major >= 4:
		l.add("--wait=" + string(o.wait))
	case o.wait == "legacy":
		l.add("--wait")
	case o.wait == "watcher":
		return l.unknown("wait: watcher, which is the default", "state wait: legacy or wait: hookOnly")
	}
	return nil
}

// chart is the chart as helm takes it.
func (l *line) chart(src v1alpha1.ChartSource) string {
	ref := or(src.Chart, l.target.Release.Chart)
	if isLocal(ref, l.target.Release.Repo) && !filepath.IsAbs(ref) {
		return filepath.Join(l.target.BaseDir, ref)
	}
	return ref
}

// source adds where the chart comes from, and its values in the order in which driver sdk merges them.
func (l *line) source(src v1alpha1.ChartSource) error {
	rel := l.target.Release
	if version := or(src.Version, rel.Version); version != "" {
		l.add("--version", version)
	}
	if rel.Repo != "" && !isLocal(or(src.Chart, rel.Chart), rel.Repo) {
		l.add("--repo", rel.Repo)
	}
	for _, files := range [][]string{rel.ValueFiles, src.ValueFiles} {
		for _, file := range files {
			if !filepath.IsAbs(file) {
				file = filepath.Join(l.target.BaseDir, file)
			}
			l.add("--values", file)
		}
	}
	return errors.Join(l.values("release.yaml", rel.Values), l.values("operation.yaml", src.Values))
}

func (l *line) values(name string, values map[string]any) error {
	if len(values) == 0 {
		return nil
	}
	data, err := yaml.Marshal(values)
	if err != nil {
		return fmt.Errorf("values: %w", err)
	}
	path := filepath.Join(l.dir, name)
	l.add("--values", path)
	return os.WriteFile(path, data, 0o600)
}
