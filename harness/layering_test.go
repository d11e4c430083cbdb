package harness_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "rehearse.dev/rehearse/"

// maxLines is where a file is too long for anybody's taste; the aim is 300.
const maxLines = 450

// layers says what each part of the tree may import of the rest. A package belongs to the longest path that leads to
// it, and may always import what lies below that path. A package that is in no layer fails the test: say where it
// belongs.
var layers = []layer{
	// The contracts. They import nothing of ours.
	{path: "harness/api", pure: true},
	{path: "harness/evidence", pure: true},
	{path: "harness/verdict", pure: true},
	{path: "harness/registry", pure: true},
	{path: "harness/ref", pure: true},
	{path: "harness/pki", pure: true},
	{path: "harness/lifeline", pure: true},
	{path: "harness/eventually", pure: true},

	// From a file to a plan, without a cluster.
	{path: "harness/schema/fields", pure: true, may: []string{"harness/api"}},
	{path: "harness/strictyaml", pure: true, may: []string{"harness/api", "harness/registry", "harness/schema/fields"}},
	{path: "harness/scenario", pure: true, may: []string{"harness/api", "harness/ownership", "harness/ref", "harness/registry", "harness/schema/fields", "harness/strictyaml"}},
	{path: "harness/schema", pure: true, may: []string{"harness/api", "harness/registry", "harness/scenario", "harness/strictyaml"}},
	{path: "harness/plan", pure: true, may: []string{"harness/api", "harness/ref", "harness/scenario", "harness/schema/fields", "harness/strictyaml"}},

	// What acts on a cluster and what watches it. None of these imports another one.
	{path: "harness/cluster", may: []string{"harness/pki", "harness/api", "harness/eventually", "harness/lifeline", "harness/registry", "harness/strictyaml"}},
	{path: "harness/release", may: []string{"harness/api", "harness/evidence", "harness/lifeline"}},
	{path: "harness/readiness", may: []string{"harness/api", "harness/evidence", "harness/plan", "harness/ref"}},
	{path: "harness/actor", may: []string{"harness/api", "harness/evidence", "harness/ref", "harness/registry"}},
	{path: "harness/fault", may: []string{"harness/pki", "harness/api", "harness/cluster", "harness/evidence", "harness/plan", "harness/ref", "harness/registry", "harness/schema/fields", "harness/wire"}},
	{path: "harness/wire", pure: true, may: []string{"harness/evidence"}},
	{path: "harness/gateway", may: []string{"harness/pki", "harness/evidence", "harness/wire"}},
	{path: "harness/observe", may: []string{"harness/eventually", "harness/evidence", "harness/ref"}},

	{path: "harness/helmcmd", may: []string{"harness/api", "harness/cluster", "harness/lifeline", "harness/release"}},

	// From evidence to verdicts and reports, without a cluster.
	{path: "harness/ownership", pure: true, may: []string{"harness/evidence"}},
	{path: "harness/assert", pure: true, may: []string{"harness/api", "harness/evidence", "harness/ownership", "harness/ref", "harness/registry", "harness/verdict"}},
	{path: "harness/sweep", pure: true, may: []string{"harness/api", "harness/assert", "harness/evidence", "harness/ownership", "harness/plan", "harness/scenario", "harness/verdict"}},
	{path: "harness/replay", pure: true, may: []string{"harness/evidence", "harness/plan", "harness/scenario", "harness/verdict"}},
	{path: "harness/progress", pure: true, may: []string{"harness/verdict"}},
	{path: "reports", pure: true, may: []string{"harness/evidence", "harness/ownership", "harness/registry", "harness/verdict"}},
	{path: "reports/sweep", pure: true, may: []string{"harness/sweep", "harness/verdict", "reports/internal/page"}},
	{path: "reports/replay", pure: true, may: []string{"harness/evidence", "harness/replay", "harness/verdict", "reports/compare"}},

	// Who joins them.
	{path: "harness/runner", may: []string{"harness"}},
	{path: "harness/rehearsetest", may: []string{"harness", "reports"}},
	{path: "cmd/rehearse", may: []string{"harness", "reports", "charts", "scenarios"}},

	// What containers run. It is built by itself, from its own sources alone.
	{path: "cmd/workload", pure: true},

	// Embedded files.
	{path: "charts", pure: true},
	{path: "scenarios", pure: true},
}

type layer struct {
	path string
	// may lists what it may import of ours, each with all that lies below.
	may []string
	// pure is set if it never talks to a cluster.
	pure bool
}

// reserved says which packages of others belong to which parts of the tree alone.
var reserved = []struct {
	imports string
	only    []string
	why     string
}{
	{"helm.sh/helm", []string{"harness/release", "cmd/rehearse"}, "harness/release is the only package that drives Helm"},
	{"sigs.k8s.io/kwok", []string{"harness/cluster"}, "a cluster's nodes are its provider's"},
	{"sigs.k8s.io/kind", []string{"harness/cluster"}, "a cluster is its provider's"},
	{"github.com/spf13/cobra", []string{"cmd/rehearse"}, "the command line is wiring"},
	{"testing", []string{"harness/rehearsetest", "cmd/rehearse/internal/hometest"}, "no test library outside tests"},
}

// clients are packages that talk to a cluster.
var clients = []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "sigs.k8s.io/e2e-framework", "helm.sh/helm"}

// source is a file that is no test.
type source struct {
	name   string // relative to the top of the repository
	pkg    string
	lines  int
	syntax *ast.File
}

func (s source) imports() []string {
	var all []string
	for _, i := range s.syntax.Imports {
		if path, err := strconv.Unquote(i.Path.Value); err == nil {
			all = append(all, path)
		}
	}
	return all
}

func TestLayering(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		own, ok := layerOf(s.pkg)
		if !ok {
			t.Errorf("%s: package %s is in no layer; add it to layers in this test", s.name, s.pkg)
			continue
		}
		for _, imported := range s.imports() {
			for _, problem := range own.refuses(s.pkg, imported) {
				t.Errorf("%s imports %s: %s", s.name, imported, problem)
			}
		}
	}
}

func (l layer) refuses(pkg, imported string) []string {
	var problems []string
	if ours, ok := strings.CutPrefix(imported, module); ok {
		if !within(ours, l.path) && !slices.ContainsFunc(l.may, func(may string) bool { return within(ours, may) }) {
			problems = append(problems, fmt.Sprintf("%s may import of ours only %v", l.path, l.may))
		}
	}
	if l.pure && slices.ContainsFunc(clients, func(c string) bool { return within(imported, c) }) {
		problems = append(problems, l.path+" never talks to a cluster")
	}
	for _, r := range reserved {
		if within(imported, r.imports) && !slices.ContainsFunc(r.only, func(only string) bool { return within(pkg, only) }) {
			problems = append(problems, r.why)
		}
	}
	return problems
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: split it", s.name, s.lines, maxLines)
		}
	}
}

func TestNoInit(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function: registries and set-up are explicit", s.name)
			}
		}
	}
}

// The rules themselves must be able to fail.
func TestLayeringCatches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pkg, imported string
		refused       bool
	}{
		{"harness/assert", module + "harness/evidence", false},
		{"harness/assert", module + "harness/release", true},
		{"harness/assert", "k8s.io/client-go/rest", true},
		{"harness/assert", "k8s.io/apimachinery/pkg/api/resource", false},
		{"harness/evidence", module + "harness/verdict", true},
		{"harness/release", module + "harness/observe", true},
		{"harness/release", "helm.sh/helm/v4/pkg/action", false},
		{"harness/runner", "helm.sh/helm/v4/pkg/action", true},
		{"harness/runner", module + "harness/release", false},
		{"harness/runner", module + "reports", true},
		{"harness/cluster/embedded", module + "harness/cluster/journal", false},
		{"harness/cluster/embedded", "sigs.k8s.io/kwok/pkg/config", false},
		{"harness/observe", "sigs.k8s.io/kwok/pkg/config", true},
		{"reports/html", module + "reports/json", false},
		{"reports/html", module + "harness/progress", true},
		{"harness/plan", "testing", true},
		{"harness/plan", "testing/fstest", true},
	} {
		own, ok := layerOf(test.pkg)
		if !ok {
			t.Errorf("%s is in no layer", test.pkg)
			continue
		}
		if got := own.refuses(test.pkg, test.imported); (len(got) > 0) != test.refused {
			t.Errorf("%s imports %s: refused for %q, want refused: %v", test.pkg, test.imported, got, test.refused)
		}
	}
}

func layerOf(pkg string) (layer, bool) {
	var best layer
	for _, l := range layers {
		if within(pkg, l.path) && len(l.path) > len(best.path) {
			best = l
		}
	}
	return best, best.path != ""
}

// within tells whether a path is another one or lies below it.
func within(p, top string) bool { return p == top || strings.HasPrefix(p, top+"/") }

// sources parses every Go file of the root module that is no test.
func sources(t *testing.T) []source {
	t.Helper()
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var all []source
	err = filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipFolder(top, file, d.Name())
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		s, err := parse(top, file)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no Go file below %s", top)
	}
	return all
}

// skipFolder leaves out what the go command leaves out: hidden folders, test data and nested modules.
func skipFolder(top, folder, name string) error {
	if folder == top {
		return nil
	}
	if name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func parse(top, file string) (source, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return source{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	name, err := filepath.Rel(top, file)
	if err != nil {
		return source{}, err
	}
	name = filepath.ToSlash(name)
	return source{name: name, pkg: path.Dir(name), lines: strings.Count(string(text), "\n"), syntax: syntax}, nil
}
