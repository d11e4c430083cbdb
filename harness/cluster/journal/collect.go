package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"rehearse.dev/rehearse/harness/cluster/internal/filelock"
)

// collectLock is a file of the journal's folder that a collector has locked.
const collectLock = ".collect.lock"

// Undo removes things of one kind. Remove must be content with a thing that is gone already, or was never made.
type Undo struct {
	Kind   string
	Remove func(ctx context.Context, r Record) error
	// Apart says that things of this kind have nothing to do with each other: several are removed at once.
	Apart bool
}

// atOnce is how many things are removed at once that stand apart.
const atOnce = 16

// Result is what Collect did about one record.
type Result struct {
	Record Record
	// Err is why it could not be removed; nil if it was.
	Err error
}

// Report is what Collect did.
type Report struct {
	// Removed were left behind and are gone now; on a dry run, would be.
	Removed []Record
	// Failed were left behind and still stand.
	Failed []Result
	// Kept have a living owner.
	Kept []Record
	// Foreign belong to another machine or container, which has to collect them itself.
	Foreign []Record
}

// CollectOptions narrow what Collect does.
type CollectOptions struct {
	// DryRun reports and changes nothing.
	DryRun bool
	// Only, if set, says which records are looked at.
	Only func(Record) bool
	// Progress, if set, is told what is about to be removed. Several may be at once.
	Progress func(Record)
	// Waiting, if set, is called once if another process collects at present, which is waited for.
	Waiting func()
}

// Collect undoes what processes left that are gone: in the order of undo, and within a kind the newest first, unless its
// things stand apart. It goes on after a failure. The error is about the journal itself; failures to remove things are in the report.
func (j *Journal) Collect(ctx context.Context, undo []Undo, opts CollectOptions) (Report, error) {
	var report Report
	// One collector at a time: a name that another has just freed may belong to a new thing by now.
	unlock, err := filelock.Lock(ctx, filepath.Join(j.dir, collectLock), opts.Waiting)
	if err != nil {
		return report, fmt.Errorf("journal: collect: %w", err)
	}
	defer unlock()
	records, listErr := j.List()
	var left []Record
	for _, r := range records {
		if opts.Only != nil && !opts.Only(r) {
			continue
		}
		state, err := r.Owner.State()
		switch {
		case err != nil:
			report.Failed = append(report.Failed, Result{r, err})
		case state == Alive:
			report.Kept = append(report.Kept, r)
		case state == Foreign:
			report.Foreign = append(report.Foreign, r)
		default:
			left = append(left, r)
		}
	}
	slices.SortStableFunc(left, func(a, b Record) int {
		return cmp.Or(cmp.Compare(find(undo, a), find(undo, b)), b.Began.Compare(a.Began))
	})
	for i, err := range j.collectAll(ctx, left, undo, opts) {
		if err != nil {
			report.Failed = append(report.Failed, Result{left[i], err})
			continue
		}
		report.Removed = append(report.Removed, left[i])
	}
	if !opts.DryRun {
		listErr = errors.Join(listErr, j.sweep())
	}
	return report, listErr
}

// find is the index of what removes a record's thing; -1 if nothing does.
func find(undo []Undo, r Record) int {
	return slices.IndexFunc(undo, func(u Undo) bool { return u.Kind == r.Kind })
}

// collectAll removes things in their order, those that stand apart at once. It returns an error, or nil, for each.
func (j *Journal) collectAll(ctx context.Context, left []Record, undo []Undo, opts CollectOptions) []error {
	errs := make([]error, len(left))
	for next := 0; next < len(left); {
		var group errgroup.Group
		group.SetLimit(atOnce)
		kind := find(undo, left[next])
		for first := next; next < len(left) && (next == first || kind >= 0 && undo[kind].Apart && find(undo, left[next]) == kind); next++ {
			i := next
			group.Go(func() error {
				errs[i] = j.collect(ctx, left[i], undo, opts)
				return nil
			})
		}
		_ = group.Wait() // errs has them
	}
	return errs
}

func (j *Journal) collect(ctx context.Context, r Record, undo []Undo, opts CollectOptions) error {
	i := find(undo, r)
	if i < 0 {
		return fmt.Errorf("nothing here knows how to remove a %s (a newer version of this program may)", r.Kind)
	}
	if opts.DryRun {
		return nil
	}
	if opts.Progress != nil {
		opts.Progress(r)
	}
	if err := undo[i].Remove(ctx, r); err != nil {
		return fmt.Errorf("remove %s %q: %w", r.Kind, r.ID, err)
	}
	e := Entry{path: filepath.Join(j.dir, r.Kind+"@"+r.ID+".json"), record: r}
	return e.Done()
}

// sweep removes records that a killed process was still writing; nobody made anything for them.
func (j *Journal) sweep() error {
	names, err := filepath.Glob(filepath.Join(j.dir, unfinished+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(name), unfinished+"%d-", &pid); err != nil {
			continue
		}
		if _, err := startTime(pid); !errors.Is(err, unix.ESRCH) {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
