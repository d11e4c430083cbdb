package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rehearse.dev/rehearse/harness/cluster/internal/filelock"
)

func open(t *testing.T) *Journal {
	t.Helper()
	j, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// begin begins an entry as if owner had.
func begin(t *testing.T, j *Journal, owner Process, kind, id string, data map[string]string) {
	t.Helper()
	as := Journal{dir: j.dir, self: owner}
	if _, err := as.Begin(kind, id, data); err != nil {
		t.Fatal(err)
	}
}

// gone is a process that has ended.
func gone(t *testing.T) Process {
	t.Helper()
	p, cmd := sleeper(t)
	if err := errors.Join(cmd.Process.Kill(), ignoreExit(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	return p
}

func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// sleeper starts a process.
func sleeper(t *testing.T) (Process, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p, err := Lookup(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p, cmd
}

func ids(records []Record) []string {
	names := []string{}
	for _, r := range records {
		names = append(names, r.Kind+"/"+r.ID)
	}
	return names
}

func files(t *testing.T, j *Journal) []string {
	t.Helper()
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != ".collect.lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestEntry(t *testing.T) {
	t.Parallel()
	j := open(t)
	e, err := j.Begin("dir", "a", map[string]string{"path": "/x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Begin("dir", "a", nil); !errors.Is(err, ErrExists) {
		t.Errorf("begun twice: %v", err)
	}
	if err := e.Update(map[string]string{"more": "1"}); err != nil {
		t.Fatal(err)
	}
	r, err := j.Get("dir", "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"path": "/x", "more": "1"}, r.Data); diff != "" || r.Owner != j.self {
		t.Errorf("record: %+v\n%s", r, diff)
	}
	for range 2 {
		if err := e.Done(); err != nil {
			t.Fatal(err)
		}
	}
	if left := files(t, j); left != nil {
		t.Errorf("left: %v", left)
	}
	if _, err := j.Get("dir", "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	for _, id := range []string{"", "../x", "a/b", ".hidden", strings.Repeat("x", 201)} {
		if _, err := j.Begin("dir", id, nil); err == nil {
			t.Errorf("accepted as an ID: %q", id)
		}
	}
}

// TestFullDisk: the error of a journal without room has the remedy, and no other error has it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	e, err := open(t).Begin("dir", "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = e.write(func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: unix.ENOSPC} })
	if !errors.Is(err, ErrNoSpace) || !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), EnvStateDir) {
		t.Errorf("full: %v", err)
	}
	err = e.write(func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: unix.EIO} })
	if !errors.Is(err, unix.EIO) || errors.Is(err, ErrNoSpace) {
		t.Errorf("damaged: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	j := open(t)
	for _, id := range []string{"z", "m", "a"} {
		begin(t, j, j.self, "dir", id, nil)
	}
	damaged := map[string]string{"dir@half.json": `{"kind":"dir"`, "dir@other.json": `{"kind":"dir","id":"x"}`}
	for name, content := range damaged {
		if err := os.WriteFile(filepath.Join(j.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	records, err := j.List()
	if diff := cmp.Diff([]string{"dir/z", "dir/m", "dir/a"}, ids(records)); diff != "" {
		t.Error(diff)
	}
	for name := range damaged {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not reported: %v", name, err)
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	reused := self // its number is another's now, which began later
	reused.Started += "0"
	foreign := self
	foreign.Host = "elsewhere"
	for want, processes := range map[State][]Process{Alive: {self}, Gone: {gone(t), reused}, Foreign: {foreign}} {
		for _, p := range processes {
			if state, err := p.State(); err != nil || state != want {
				t.Errorf("%+v is %s, not %s: %v", p, state, want, err)
			}
		}
	}
	zombie, cmd := sleeper(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := zombie.End(t.Context()); err != nil { // returns although nobody has waited for it
		t.Errorf("a zombie does not count as ended: %v", err)
	}
}

func TestParseProcess(t *testing.T) {
	t.Parallel()
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if p, err := ParseProcess(self.Text(), self); err != nil || p != self {
		t.Errorf("%+v came back as %+v, %v", self, p, err)
	}
	for _, text := range []string{"", "12", "x y", "0 now", "1 init", "-5 group"} {
		if p, err := ParseProcess(text, self); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	j := open(t)
	dead := gone(t)
	foreign := dead
	foreign.Host = "elsewhere"
	begin(t, j, dead, "low", "old", nil)
	begin(t, j, dead, "high", "first", nil)
	begin(t, j, dead, "low", "new", nil)
	begin(t, j, dead, "low", "stuck", nil)
	begin(t, j, dead, "odd", "unknown", nil)
	begin(t, j, j.self, "low", "used", nil)
	begin(t, j, foreign, "low", "far", nil)
	half := filepath.Join(j.dir, fmt.Sprintf("%s%d-123", unfinished, dead.PID))
	if err := os.WriteFile(half, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var order []string
	remove := func(_ context.Context, r Record) error {
		order = append(order, r.ID)
		if r.ID == "stuck" {
			return errors.New("it is stuck")
		}
		return nil
	}
	undo := []Undo{{Kind: "high", Remove: remove}, {Kind: "low", Remove: remove}}
	want := map[string][]string{
		"removed": {"high/first", "low/new", "low/old"}, "failed": {"low/stuck", "odd/unknown"}, "kept": {"low/used"}, "foreign": {"low/far"},
	}
	check := func(opts CollectOptions, want map[string][]string) {
		t.Helper()
		report, err := j.Collect(t.Context(), undo, opts)
		if err != nil {
			t.Fatal(err)
		}
		failed := []string{}
		for _, f := range report.Failed {
			failed = append(failed, f.Record.Kind+"/"+f.Record.ID)
		}
		got := map[string][]string{"removed": ids(report.Removed), "failed": failed, "kept": ids(report.Kept), "foreign": ids(report.Foreign)}
		for _, names := range [][]string{got["failed"], want["failed"]} {
			if len(names) == 2 && names[0] > names[1] {
				names[0], names[1] = names[1], names[0]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	dry := map[string][]string{
		"removed": {"high/first", "low/stuck", "low/new", "low/old"}, "failed": {"odd/unknown"}, "kept": want["kept"], "foreign": want["foreign"],
	}
	check(CollectOptions{DryRun: true}, dry)
	if len(order) > 0 || len(files(t, j)) != 8 {
		t.Errorf("a dry run removes: %v, %v", order, files(t, j))
	}
	check(CollectOptions{}, want)
	if diff := cmp.Diff([]string{"first", "stuck", "new", "old"}, order); diff != "" {
		t.Errorf("order: %s", diff)
	}
	check(CollectOptions{Only: func(r Record) bool { return r.ID == "stuck" }},
		map[string][]string{"removed": {}, "failed": {"low/stuck"}, "kept": {}, "foreign": {}})
	if diff := cmp.Diff([]string{"low@far.json", "low@stuck.json", "low@used.json", "odd@unknown.json"}, files(t, j)); diff != "" {
		t.Error(diff)
	}
}

// TestCollectWaits: who has to wait for another collector is told, and nobody else.
func TestCollectWaits(t *testing.T) {
	t.Parallel()
	j := open(t)
	unlock, err := filelock.Lock(t.Context(), filepath.Join(j.dir, collectLock), nil)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	waiting := func() { told++; unlock() }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // if nobody is told, nobody unlocks
	defer cancel()
	for range 2 {
		if _, err := j.Collect(ctx, nil, CollectOptions{Waiting: waiting}); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

// TestCollectAtOnce removes things that stand apart at once, and what comes after their kind only when they are gone.
func TestCollectAtOnce(t *testing.T) {
	t.Parallel()
	j, owner := open(t), gone(t)
	var both sync.WaitGroup
	both.Add(2)
	for _, id := range []string{"one", "two"} {
		begin(t, j, owner, "apart", id, nil)
		begin(t, j, owner, "later", id, nil)
	}
	var mu sync.Mutex
	var order, told []string
	undo := []Undo{
		{Kind: "apart", Apart: true, Remove: func(_ context.Context, r Record) error {
			both.Done()
			both.Wait() // for ever, if one comes after the other
			mu.Lock()
			defer mu.Unlock()
			order = append(order, r.Kind)
			if r.ID == "one" {
				return errors.New("it is stuck")
			}
			return nil
		}},
		{Kind: "later", Remove: func(_ context.Context, r Record) error {
			order = append(order, r.ID)
			return nil
		}},
	}
	report, err := j.Collect(t.Context(), undo, CollectOptions{Progress: func(r Record) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, r.Kind)
	}})
	if err != nil || len(report.Failed) != 1 || report.Failed[0].Record.ID != "one" {
		t.Errorf("failed: %+v, %v", report.Failed, err)
	}
	if diff := cmp.Diff([]string{"apart", "apart", "two", "one"}, order); diff != "" {
		t.Errorf("order: %s", diff)
	}
	if diff := cmp.Diff([]string{"apart", "apart", "later", "later"}, told); diff != "" {
		t.Errorf("told: %s", diff)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	j := open(t)
	owner := gone(t)
	left := filepath.Join(t.TempDir(), DirPrefix+"left")
	precious := filepath.Join(t.TempDir(), "precious")
	for _, dir := range []string{left, precious} {
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	running, cmd := sleeper(t)
	begin(t, j, owner, KindProcess, "running", map[string]string{DataProcess: running.Text()})
	begin(t, j, owner, KindProcess, "not-started", nil)
	begin(t, j, owner, KindDir, "left", map[string]string{DataPath: left})
	begin(t, j, owner, KindDir, "damaged", map[string]string{DataPath: precious})
	begin(t, j, owner, KindDir, "relative", map[string]string{DataPath: DirPrefix + "here"})
	report, err := j.Collect(t.Context(), []Undo{UndoProcess(), UndoDir()}, CollectOptions{})
	if err != nil || len(report.Removed) != 3 || len(report.Failed) != 2 {
		t.Errorf("report: %+v, %v", report, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("a folder that is not ours was touched: %v", err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process was not killed")
	}
}

// TestStop: a process stands still once Stop has returned, and one that is gone cannot be stopped.
func TestStop(t *testing.T) {
	t.Parallel()
	p, cmd := sleeper(t)
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if still, err := isStopped(p.PID); err != nil || !still {
		t.Errorf("it is stopped: %v, %v", still, err)
	}
	if err := p.End(t.Context()); err != nil { // which a stopped one does too
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if err := p.Stop(t.Context()); !errors.Is(err, unix.ESRCH) {
		t.Errorf("one that is gone: %v", err)
	}
}
