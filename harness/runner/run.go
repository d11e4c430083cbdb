package runner

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/providers"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/gateway"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/progress"
	"rehearse.dev/rehearse/harness/verdict"
)

// Config is what a run needs to know beyond its plans.
type Config struct {
	// ID names the run.
	ID string
	// Dir is the run's folder; each variant has a folder of its own below it.
	Dir string
	// Providers says who boots a cluster of these needs.
	Providers Providers
	// Attached is a cluster that outlives the run, to be used instead of a shared one; nil boots one.
	Attached cluster.Cluster
	// OwnHelm is a program that acts as helm for driver cli, as release.OwnHelm says; if it is empty, helm is built.
	OwnHelm string
	// Journal notes, before it is made, what is made on an attached cluster, and every helm process; nil is that of the
	// default place.
	Journal *journal.Journal
	// Parallel is how many variants run at once; at least 1.
	Parallel int
	// FailFast starts no further variant once one has not passed.
	FailFast bool
	// Keep leaves everything as it is at the end and calls Linger, which returns once it may go.
	Keep bool
	// Linger is told what Keep left, unless that is nothing, and the outcome so far, which lacks clean-up. It must not be
	// nil with Keep.
	Linger func(ctx context.Context, soFar verdict.Run, all []Kept)
	// Straight lets Helm reach the API server without a gateway, so that it can be measured what that costs. Helm's requests
	// are no evidence then, and faults of kind api are not available.
	Straight bool
	// Progress is told what happens.
	Progress progress.Reporter
	// Versions are those of the programs and libraries that take part.
	Versions map[string]string
	// Args are the program's arguments.
	Args []string
	// Seed is the seed asked for on the command line; 0 if none was.
	Seed int64
}

// Providers chooses the provider of a cluster of these needs.
type Providers func(plan.Needs) (cluster.Provider, error)

// Always is the choice of one provider, whatever is needed.
func Always(p cluster.Provider) Providers {
	return func(plan.Needs) (cluster.Provider, error) { return p, nil }
}

// Registered chooses the provider by its name in the registry.
func Registered(o providers.Options) Providers {
	return func(needs plan.Needs) (cluster.Provider, error) {
		entry, err := providers.Registry().Lookup(needs.Provider)
		if err != nil {
			return nil, err
		}
		return entry.Code.New(o, needs.Settings())
	}
}

// preparing tells what comes once a cluster has been made, since its own last word is that it is ready.
func preparing(choose Providers, tell progress.Scope) Providers {
	return func(needs plan.Needs) (cluster.Provider, error) {
		p, err := choose(needs)
		return prepared{p, tell}, err
	}
}

// prepared is a provider whose clusters are still to be prepared.
type prepared struct {
	cluster.Provider
	tell progress.Scope
}

func (p prepared) Create(ctx context.Context, spec cluster.Spec) (cluster.Cluster, error) {
	c, err := p.Provider.Create(ctx, spec)
	if err == nil {
		p.tell.WaitingFor("preparing the cluster")
	}
	return c, err
}

// run is one invocation under way.
type run struct {
	cfg      Config
	token    string // tells its namespaces from those of other runs on the same cluster, whatever they are called
	pool     *pool
	redactor *evidence.Redactor
	identity *gateway.Identity // of all gateways of the run, so that Helm's clients share what client-go caches by it
	stop     atomic.Bool       // set once FailFast forbids further variants

	mu        sync.Mutex
	kept      []kept
	leaving   []*stage // those whose namespaces are being removed
	leftovers error    // what could not be removed
}

// heard answers an interruption, as what follows takes its time.
const heard = "interrupted: cleaning up; press Ctrl-C again to stop at once (rehearse gc then removes what is left)"

// Run rehearses all plans and returns what became of them. Its error says that the run as a whole could not take
// place; whatever happens to a variant is in its verdict.
func Run(ctx context.Context, cfg Config, plans []plan.Plan) (verdict.Run, error) {
	begin := time.Now()
	out := verdict.Run{ID: cfg.ID, Started: begin, Versions: cfg.Versions, Args: cfg.Args, Seed: cfg.Seed}
	redactor, err := evidence.NewRedactor()
	if err != nil {
		return out, err
	}
	if err := learn(redactor, plans); err != nil {
		return out, err
	}
	identity, err := gateway.NewIdentity()
	if err != nil {
		return out, err
	}
	if cfg.Journal == nil {
		if cfg.Journal, err = journal.Open(""); err != nil {
			return out, err
		}
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return out, fmt.Errorf("making the run's folder: %w", err)
	}
	if err := evidence.WriteFile(cfg.Dir, evidence.RunFile, runRecord(out, plans)); err != nil {
		return out, err
	}
	everyone := progress.For(cfg.Progress, "")
	everyone.Started(len(plans))
	r := &run{cfg: cfg, token: strings.ToLower(rand.Text()[:6]), redactor: redactor, identity: identity, pool: newPool(preparing(cfg.Providers, everyone), cfg.Attached, everyone.WaitingFor, filepath.Join(cfg.Dir, ClustersFolder))}
	unheard := context.AfterFunc(ctx, func() { everyone.Say(heard) })
	defer unheard()
	out.Variants = r.variants(ctx, plans)
	interrupted := ctx.Err() != nil
	if len(r.kept) > 0 {
		unheard() // what ends that is no interruption
	}
	out.Duration = time.Since(begin)
	lingered := r.linger(ctx, finish(out, interrupted))
	r.cleanUp(context.WithoutCancel(ctx))
	out.Interrupted = interrupted
	r.noteEnd(&out, plans)
	out.Duration = time.Since(begin) - lingered
	return finish(out, interrupted), nil
}

// noteEnd tells a later judge what no bundle does: that clean-up failed, and that the run was interrupted.
func (r *run) noteEnd(out *verdict.Run, plans []plan.Plan) {
	if r.leftovers != nil {
		out.CleanupErr = r.redactor.Text(r.leftovers.Error())
	}
	if r.leftovers == nil && !out.Interrupted {
		return
	}
	if err := evidence.WriteFile(r.cfg.Dir, evidence.RunFile, runRecord(*out, plans)); err != nil && r.leftovers != nil {
		out.CleanupErr += "; and a later judge will not know that: " + err.Error()
	}
}

// runRecord is what run.json says: before anything is run, so that a later judge knows what is missing, and again at the end
// if there is more to say.
func runRecord(out verdict.Run, plans []plan.Plan) evidence.Run {
	record := evidence.Run{ID: out.ID, Started: out.Started, Args: out.Args, Seed: out.Seed, Versions: out.Versions, CleanupErr: out.CleanupErr, Interrupted: out.Interrupted}
	for _, p := range plans {
		record.Planned = append(record.Planned, evidence.Planned{
			Scenario: p.Scenario.Metadata.Name, Variant: p.Variant, File: p.File, Dir: folderOf(p),
			Provider: p.Needs.Provider, NotHere: p.NotHere(),
		})
	}
	return record
}

// variants rehearses the plans, Parallel at a time, and returns their outcomes in the plans' order.
func (r *run) variants(ctx context.Context, plans []plan.Plan) []verdict.Variant {
	out := make([]verdict.Variant, len(plans))
	var group errgroup.Group
	group.SetLimit(max(1, r.cfg.Parallel))
	for i, p := range plans {
		group.Go(func() error {
			out[i] = r.one(ctx, r.newJob(p, i+1))
			return nil
		})
	}
	_ = group.Wait() // no variant returns an error: its verdict says what became of it
	return out
}

// one rehearses a plan, or says why it is not rehearsed.
func (r *run) one(ctx context.Context, j job) verdict.Variant {
	switch {
	case ctx.Err() != nil:
		return skipped(j, "the run was interrupted before its turn")
	case r.cfg.FailFast && r.stop.Load():
		return skipped(j, "an earlier scenario did not pass, and --fail-fast was given")
	}
	if reason := j.plan.NotHere(); reason != "" {
		return skipped(j, notOn(j.plan.Needs.Provider, reason))
	}
	j.tell.Started(len(j.plan.Steps) + len(j.plan.Finally))
	out := r.variant(ctx, j)
	j.tell.Finished(out)
	if out.Status != verdict.Passed && out.Status != verdict.Skipped {
		r.stop.Store(true)
	}
	return out
}
