package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/verdict"
)

// job is one plan on its way through a run.
type job struct {
	plan      plan.Plan
	namespace string
	dir       string // relative to the run's folder
	tell      progress.Scope
	commands  helmCommands
}

// newJob gives a plan the names that it has within the run.
func (r *run) newJob(p plan.Plan, number int) job {
	return job{
		plan:      p,
		namespace: namespaceOf(p, r.token, number),
		dir:       folderOf(p),
		tell:      progress.For(r.cfg.Progress, p.ID()),
	}
}

// folderOf is the folder of a variant's bundle within the run's.
func folderOf(p plan.Plan) string {
	return filepath.Join(p.Scenario.Metadata.Name, strings.NewReplacer("/", "_", "=", "-", ",", "+").Replace(p.Variant))
}

// variant rehearses one plan: evidence first, and a verdict from what is on disk.
func (r *run) variant(ctx context.Context, j job) verdict.Variant {
	dir := filepath.Join(r.cfg.Dir, j.dir)
	begin := time.Now()
	hidden, problem := hide(r.redactor, j.plan)
	if problem == nil {
		problem = r.rehearse(ctx, j, hidden, dir)
	}
	out, err := Judge(dir, hidden)
	problem = errors.Join(problem, err)
	out.Dir, out.Started, out.Duration = j.dir, begin, time.Since(begin)
	if problem != nil {
		out.Reason = r.redactor.Text(problem.Error())
		out.Status = verdict.Worst([]verdict.Status{out.Status, verdict.Errored})
	}
	if err := evidence.WriteFile(dir, evidence.VerdictFile, out); err != nil {
		out.Status, out.Reason = verdict.Errored, cmp.Or(out.Reason, err.Error())
	}
	return out
}

// Judge judges the bundle in dir offline: what a later `rehearse judge` finds is what was found at the end of the run.
func Judge(dir string, p plan.Plan) (verdict.Variant, error) {
	out := describe(p)
	bundle, err := evidence.Load(dir)
	if err != nil {
		out.Status = verdict.Errored
		return out, fmt.Errorf("reading the evidence back: %w", err)
	}
	out.Started, out.Kubernetes, out.Helm = bundle.Variant.Started, bundle.Variant.Versions[kubeVersion], bundle.Variant.Versions[helmVersion]
	if n := len(bundle.Timeline); n > 0 {
		out.Duration = bundle.Timeline[n-1].At
	}
	out.Verdicts = assert.Judge(bundle, p.Scenario.Spec)
	out.Recovery, out.Requests = assert.Recovery(bundle), assert.Traffic(bundle)
	statuses := make([]verdict.Status, len(out.Verdicts))
	for i, v := range out.Verdicts {
		statuses[i] = v.Status
	}
	out.Status = verdict.Worst(statuses)
	if reason := assert.Unavailable(bundle); reason != "" && out.Status != verdict.Failed && out.Status != verdict.Errored {
		out.Status, out.Reason = verdict.Skipped, reason // what passed before says nothing of what was to be rehearsed
	}
	return out, nil
}

// The keys of the versions of Kubernetes and of Helm among those of programs and libraries.
const (
	kubeVersion = "kubernetes"
	helmVersion = "helm"
)

// withKubernetes adds the version of Kubernetes to others.
func withKubernetes(versions map[string]string, version string) map[string]string {
	all := maps.Clone(versions)
	if all == nil {
		all = map[string]string{}
	}
	all[kubeVersion] = version
	return all
}

func describe(p plan.Plan) verdict.Variant {
	return verdict.Variant{
		Scenario: p.Scenario.Metadata.Name, Variant: p.Variant, Description: p.Scenario.Spec.Description,
		File: p.File, Provider: p.Needs.Provider, Seed: p.Seed, Matrix: p.Matrix,
		Faults: plan.FaultsDigest(&p.Scenario.Spec),
	}
}

func skipped(j job, reason string) verdict.Variant {
	out := describe(j.plan)
	out.Dir, out.Status, out.Reason = j.dir, verdict.Skipped, reason
	return out
}

// rehearse takes the evidence, with the plan as it may be seen. Its error is one of the harness; what the operations came
// to is in the evidence.
func (r *run) rehearse(ctx context.Context, j job, hidden plan.Plan, dir string) (err error) {
	about := r.evidenceOf(j)
	rec, err := evidence.Create(dir, about, evidence.WithRedactor(r.redactor))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rec.Close()) }()
	if err := evidence.WriteFile(dir, evidence.PlanFile, hidden); err != nil {
		return err
	}
	if j.commands, err = r.findHelm(ctx, j.plan, j.tell); err != nil {
		return cmp.Or(interruption(ctx), err)
	}
	if r.cfg.Attached != nil && j.plan.Needs.Isolation == isolationCluster {
		j.tell.WaitingFor(fmt.Sprintf("is to have a cluster of its own, which is booted beside %s", r.cfg.Attached.Name()))
	}
	a, err := timed(rec, j.tell, "cluster", func() (*arena, error) { return r.pool.acquire(ctx, j.plan.Needs) })
	if err != nil {
		return cmp.Or(interruption(ctx), fmt.Errorf("%w: %w", ErrHarness, err))
	}
	about.Versions = withKubernetes(about.Versions, a.cluster.Version())
	if err := rec.WriteFile(evidence.VariantFile, about); err != nil {
		return err
	}
	trouble := false
	defer func() { err = errors.Join(err, r.leave(ctx, a, dir, trouble || err != nil)) }()
	s, err := timed(rec, j.tell, "set-up", func() (*stage, error) { return r.setUp(ctx, j, a, rec) })
	if err != nil {
		return cmp.Or(interruption(ctx), err)
	}
	alive, stop := a.whileAlive(ctx)
	trouble = s.performAll(alive)
	stop()
	if r.cfg.Keep {
		r.keep(s, j.plan.ID())
		return nil
	}
	_, err = timed(rec, j.tell, "clean-up", func() (struct{}, error) {
		err := s.stop()
		r.remove(context.WithoutCancel(ctx), s)
		return struct{}{}, err
	})
	return err
}

// interruption is the error of a variant whose run was interrupted before its first step, whatever that made fail.
func interruption(ctx context.Context) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// leave takes the components' logs if there was trouble, but not for an interruption, and ends a cluster that was the
// variant's own.
func (r *run) leave(ctx context.Context, a *arena, dir string, trouble bool) error {
	after := context.WithoutCancel(ctx)
	var err error
	if trouble && ctx.Err() == nil {
		logs := filepath.Join(dir, logsFolder)
		err = errors.Join(collectLogs(after, a.cluster, logs), hideInFiles(r.redactor, logs))
	}
	if a.own && !r.cfg.Keep {
		r.unclean(r.pool.closeOwn(after, a))
	}
	return err
}

// collectLogs copies the logs of a cluster, which may not answer any more.
func collectLogs(ctx context.Context, c cluster.Cluster, dir string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, logsBound, fmt.Errorf("the cluster's logs were not there after %s", logsBound))
	defer cancel()
	return c.CollectLogs(ctx, dir)
}

func (r *run) evidenceOf(j job) evidence.Variant {
	p := j.plan
	v := evidence.Variant{
		Format: evidence.Format, Scenario: p.Scenario.Metadata.Name, Variant: p.Variant, Description: p.Scenario.Spec.Description,
		File: p.File, Seed: p.Seed, Matrix: p.Matrix, Release: p.Scenario.Spec.Release.Name, Namespace: j.namespace, Also: also(p),
		Started: time.Now(), Versions: r.versionsOf(p), Lines: p.Lines,
	}
	for _, steps := range [][]plan.Step{p.Steps, p.Finally} {
		for _, step := range steps {
			v.Steps = append(v.Steps, step.Name)
		}
	}
	return v
}

// timed records how long a part of the run took that is no step.
func timed[T any](rec *evidence.Recorder, tell progress.Scope, phase string, do func() (T, error)) (T, error) {
	defer tell.Phase(phase)()
	begin := rec.Now()
	result, err := do()
	rec.Record(evidence.Event{Phase: &evidence.Phase{Name: phase, Took: rec.Now() - begin}})
	return result, err
}
