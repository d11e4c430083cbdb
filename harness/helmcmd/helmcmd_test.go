package helmcmd_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/helmcmd"
	"rehearse.dev/rehearse/harness/release"
)

// helperEnv makes the test binary ask a helm binary for its version instead of running tests. Its value is the journal's
// place and the binary.
const helperEnv = "HELMCMD_TEST_HELPER"

func TestMain(m *testing.M) {
	if root, path, asked := strings.Cut(os.Getenv(helperEnv), "\n"); asked {
		_, err := helmcmd.Finder{StateRoot: root}.Find(context.Background(), &v1alpha1.Helm{Path: path}, "/")
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// script writes a program that is asked for its version as if it were helm.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFind: what a scenario's helm stands for, and what is told of one that is none.
func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	four := script(t, dir, "four", `[ "$*" = "version --template {{.Version}}" ] && echo v4.2.1`)
	three := script(t, dir, "three", "echo 3.19.0")
	script(t, dir, "two", "echo v2.17.0")
	script(t, dir, "other", "echo usage: other")
	script(t, dir, "mute", "exit 0")
	script(t, dir, "broken", "echo cannot do that >&2; exit 3")
	script(t, dir, "hygienic", `more=$(env | grep -vcE '^(HOME|PATH|PWD|OLDPWD|SHLVL|_)='); [ "$more" = 0 ] && [ "$HOME" != "`+os.Getenv("HOME")+`" ] && touch "$HOME/cache" && echo v4.0.0`)
	for name, test := range map[string]struct {
		// own is the program that acts as helm.
		own  string
		helm *v1alpha1.Helm
		want release.Command
		// fails are in the error.
		fails []string
	}{
		"none":              {"/own", nil, release.Command{Path: "/own", Own: true, Major: 4}, nil},
		"nothing at all":    {"", nil, release.Command{}, []string{"in go test, call rehearsetest.OwnHelm in TestMain and state rehearsetest.WithHelm"}},
		"the zero one":      {"/own", &v1alpha1.Helm{}, release.Command{Path: "/own", Own: true, Major: 4}, nil},
		"a relative path":   {"", &v1alpha1.Helm{Path: "four"}, release.Command{Path: four, Major: 4, Version: "4.2.1"}, nil},
		"an absolute path":  {"", &v1alpha1.Helm{Path: three}, release.Command{Path: three, Major: 3, Version: "3.19.0"}, nil},
		"a home of its own": {"", &v1alpha1.Helm{Path: "hygienic"}, release.Command{Path: filepath.Join(dir, "hygienic"), Major: 4, Version: "4.0.0"}, nil},
		"too old":           {"", &v1alpha1.Helm{Path: "two"}, release.Command{}, []string{"/two", `"2.17.0" is no version of Helm 3 or 4`}},
		"no helm":           {"", &v1alpha1.Helm{Path: "other"}, release.Command{}, []string{"/other", `"usage: other" is no version of Helm 3 or 4`}},
		"a mute one":        {"", &v1alpha1.Helm{Path: "mute"}, release.Command{}, []string{"/mute", `"" is no version of Helm 3 or 4`}},
		"a broken one":      {"", &v1alpha1.Helm{Path: "broken"}, release.Command{}, []string{"/broken", "exit status 3", "cannot do that"}},
		"a missing one":     {"", &v1alpha1.Helm{Path: "none"}, release.Command{}, []string{"/none", "not found"}},
		"no such major":     {"", &v1alpha1.Helm{Version: "v5.0.0"}, release.Command{}, []string{`"5.0.0" is no version of Helm 3 or 4`}},
		"no version at all": {"", &v1alpha1.Helm{Version: "latest"}, release.Command{}, []string{`"latest" is no version of Helm 3 or 4`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			got, err := helmcmd.Finder{Own: test.own, StateRoot: root}.Find(t.Context(), test.helm, dir)
			if (err != nil) != (len(test.fails) > 0) {
				t.Fatalf("error: %v", err)
			}
			for _, part := range test.fails {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in the error: %v", part, err)
				}
			}
			if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
			if left := noted(t, root); len(left) > 0 {
				t.Errorf("left in the journal: %v", left)
			}
		})
	}
}

// TestFindGivesUp: a program that says nothing is ended with all that it started.
func TestFindGivesUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := script(t, dir, "helm", sleeping(dir))
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		waitFor(t, "it runs", func() bool { return len(pidsIn(dir)) == 2 })
		cancel(enough)
	}()
	_, err := helmcmd.Finder{StateRoot: t.TempDir()}.Find(ctx, &v1alpha1.Helm{Path: path}, dir)
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	waitFor(t, "all of it is gone", func() bool { return allGone(pidsIn(dir)) })
}

// TestFindKilled: if whoever asks is killed, nobody goes on, and what is left is in the journal.
func TestFindKilled(t *testing.T) {
	t.Parallel()
	dir, root := t.TempDir(), t.TempDir()
	path := script(t, dir, "helm", sleeping(dir))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.Command(self)
	victim.Env = append(os.Environ(), helperEnv+"="+root+"\n"+path, "TMPDIR="+dir)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it runs", func() bool { return len(pidsIn(dir)) == 2 })
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	waitFor(t, "all of it is gone", func() bool { return allGone(pidsIn(dir)) })
	left := noted(t, root)
	if len(left) != 1 || left[0].Kind != journal.KindDir {
		t.Fatalf("the journal holds %v", left)
	}
	j, err := journal.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	report, err := j.Collect(t.Context(), []journal.Undo{journal.UndoDir()}, journal.CollectOptions{})
	if err != nil || len(report.Removed) != 1 {
		t.Errorf("report: %+v, %v", report, err)
	}
	if _, err := os.Stat(left[0].Data[journal.DataPath]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its home is still there: %v", err)
	}
}

// noted is what the journal holds.
func noted(t *testing.T, root string) []journal.Record {
	t.Helper()
	j, err := journal.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	records, err := j.List()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// sleeping is a program that never ends and has a child; it writes down both their numbers.
func sleeping(dir string) string {
	pids := filepath.Join(dir, "pids")
	return "sleep 600 & echo $$ $! >" + pids + ".new; mv " + pids + ".new " + pids + "; wait\n"
}

func pidsIn(dir string) []int {
	content, _ := os.ReadFile(filepath.Join(dir, "pids")) // it is not there yet
	var pids []int
	for _, text := range strings.Fields(string(content)) {
		pid, err := strconv.Atoi(text)
		if err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func allGone(pids []int) bool {
	for _, pid := range pids {
		if _, err := journal.Lookup(pid); !errors.Is(err, syscall.ESRCH) {
			return false
		}
	}
	return len(pids) > 0
}

// waitFor waits for what cannot be watched.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Errorf("not after a minute: %s", what)
			return
		}
	}
}
