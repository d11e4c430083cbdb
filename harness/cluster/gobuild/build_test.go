package gobuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/eventually"
)

// The go commands below stand in for the real one, which would take minutes: what is tried is all around it.
const (
	// goWorks counts its builds, one line in the file $calls each.
	goWorks = `test -d "$GOTMPDIR" && test "${GOTMPDIR%/*}" = "$PWD" && test "$TMPDIR" = "$GOTMPDIR" || exit 9
case $1 in
list) echo "go: downloading a v1" >&2; echo a; echo b ;;
install) test "${GOBIN%/*}" = "$PWD" || exit 9
	echo "$@" >>"$calls"; mkdir "$GOBIN" && echo binary >"$GOBIN/program" ;;
build) test -f main.go && test "$CGO_ENABLED$GOFLAGS" = 0-mod=readonly || exit 9
	echo "$@" "$GOOS" >>"$calls"; echo a >&2; mkdir out && echo binary >out/program ;;
esac`
	goOffline = `echo 'main.go:3:8: module lookup disabled by GOPROXY=off' >&2; exit 1`
	goFull    = `[ $1 = list ] && exit; echo "write \$WORK/b001/x.a: no space left on device" >&2; exit 1`
	goBroken  = `[ $1 = list ] && exit; echo "./main.go:7:2: undefined: x" >&2; exit 1`
	// goHangs makes a folder where the real one does, which only the go command removes.
	goHangs = `[ $1 = list ] && exit; (cd "${GOTMPDIR:-$TMPDIR}"; mkdir go-build1); echo $$ >"$calls.new"; mv "$calls.new" "$calls"; sleep 60`
)

// program is what is built. Its remedy must show whenever it cannot be.
func program() Program {
	return Program{
		Name: "program", What: "a program", Version: "v1.2.3", Sources: []byte("-- go.mod --\nmodule program\n-- main.go --\npackage main\n"),
		Tags: []string{"one", "two"}, LDFlags: "-s", OS: "linux", Expect: "soon", Else: "ask a friend",
	}
}

// newBuilder returns a builder whose go command is a script, and the file that the script may write to.
func newBuilder(t *testing.T, script string) (b *Builder, calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	fake := filepath.Join(dir, "go")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\ncalls="+calls+"\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Builder{cache: t.TempDir(), journal: j, goCommand: fake, progress: func(string) {}}, calls
}

// leftBehind lists journal records and folders of builds.
func (b *Builder) leftBehind(t *testing.T) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(b.cache, "program", journal.DirPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := b.journal.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		left = append(left, r.ID)
	}
	return left
}

func TestBuildOnce(t *testing.T) {
	t.Parallel()
	b, calls := newBuilder(t, goWorks)
	var told []string
	b.progress = func(s string) { told = append(told, s) }
	paths := [3]string{}
	var group sync.WaitGroup
	for i := range paths {
		builder := *b
		if i > 0 {
			builder.progress = func(string) {}
		}
		group.Go(func() {
			path, err := builder.Ensure(t.Context(), program())
			if err != nil {
				t.Error(err)
			}
			paths[i] = path
		})
	}
	group.Wait()
	if paths[0] != paths[1] || paths[1] != paths[2] || !strings.Contains(paths[0], "program/v1.2.3-") {
		t.Errorf("paths: %q", paths)
	}
	if content, err := os.ReadFile(filepath.Join(paths[0], "program")); err != nil || string(content) != "binary\n" {
		t.Errorf("built: %q, %v", content, err)
	}
	log, err := os.ReadFile(calls)
	if err != nil || strings.Count(string(log), "\n") != 1 {
		t.Errorf("built not once but: %s %v", log, err)
	}
	for _, want := range []string{"-trimpath", "-tags=one,two", "-ldflags -s", " . linux"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("built without %s: %s", want, log)
		}
	}
	if len(told) == 0 {
		t.Error("nothing was told of the progress")
	}
	if left := b.leftBehind(t); left != nil {
		t.Errorf("left: %v", left)
	}
}

func TestBuildPublished(t *testing.T) {
	t.Parallel()
	b, calls := newBuilder(t, goWorks)
	p := Program{Name: "program", Version: "v1.2.3", Published: "example.org/m/cmd/program@v1.2.3", LDFlags: "-s"}
	other := p
	other.Published = "example.org/m/cmd/program@v1.2.4"
	if p.key() == other.key() {
		t.Error("two versions share a folder in the cache")
	}
	dir, err := b.Ensure(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "program")); err != nil {
		t.Error(err)
	}
	said, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	if want := "install -v -trimpath -buildvcs=false -tags= -ldflags -s " + p.Published + "\n"; string(said) != want {
		t.Errorf("go %s, want go %s", said, want)
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		// is is the reason, if there is a sentinel for it; says is part of the error's text.
		is   error
		says string
	}{
		"no network": {goOffline, ErrNoModules, "go env GOPROXY"},
		"full disk":  {goFull, ErrNoSpace, "GOCACHE"},
		"no compile": {goBroken, nil, "undefined: x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := newBuilder(t, test.script)
			_, err := b.Ensure(t.Context(), program())
			if err == nil || (test.is != nil && !errors.Is(err, test.is)) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "ask a friend") {
				t.Errorf("error: %v", err)
			}
			if left := b.leftBehind(t); left != nil {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestFullJournal: the journal's remedy is enough, as no other would help.
func TestFullJournal(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("%w: %w", journal.ErrNoSpace, syscall.ENOSPC)
	if err := program().explain(full); !errors.Is(err, journal.ErrNoSpace) || errors.Is(err, ErrNoSpace) || strings.Contains(err.Error(), "GOCACHE") {
		t.Errorf("error: %v", err)
	}
}

func TestBuildWithoutToolchain(t *testing.T) {
	t.Parallel()
	b, _ := newBuilder(t, "")
	b.goCommand = "no-such-go-command"
	if _, err := b.Ensure(t.Context(), program()); !errors.Is(err, ErrNoToolchain) || !strings.Contains(err.Error(), "ask a friend") {
		t.Errorf("error: %v", err)
	}
}

func TestBuildInterrupted(t *testing.T) {
	t.Parallel()
	b, calls := newBuilder(t, goHangs)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	eventually.Do(ctx, func() bool { _, err := os.Stat(calls); return err == nil }, cancel)
	if _, err := b.Ensure(ctx, program()); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	if left := b.leftBehind(t); left != nil {
		t.Errorf("left: %v", left)
	}
}

// TestBuildKilled kills a process that builds; the go command must end with it, and what that was working on be found.
func TestBuildKilled(t *testing.T) {
	t.Parallel()
	b, calls := newBuilder(t, goHangs)
	root, temp := t.TempDir(), t.TempDir()
	victim := helper(t, root, b.cache, b.goCommand)
	victim.Env = append(victim.Env, "TMPDIR="+temp)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the build has begun", func() bool { _, err := os.Stat(calls); return err == nil })
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	content, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the go command is gone", func() bool {
		_, err := journal.Lookup(pid)
		return errors.Is(err, syscall.ESRCH)
	})
	if b.journal, err = journal.Open(root); err != nil {
		t.Fatal(err)
	}
	if report, err := b.journal.Collect(t.Context(), []journal.Undo{journal.UndoDir()}, journal.CollectOptions{}); err != nil || len(report.Removed) != 1 {
		t.Errorf("gc: %+v, %v", report, err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left among the temporary files: %v, %v", left, err)
	}
	if left := b.leftBehind(t); left != nil {
		t.Errorf("left: %v", left)
	}
}
