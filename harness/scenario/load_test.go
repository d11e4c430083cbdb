package scenario_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/scenario/scenariotest"
)

// minimal is the shortest legal scenario.
const minimal = `apiVersion: rehearse.dev/v1alpha1
kind: Scenario
metadata: {name: %s}
spec:
  description: Nothing much.
  release: {name: shop, chart: "oci://example.invalid/shop"}
  steps:
  - {name: v1, install: {}}
`

// odd are inputs that are no scenario at all, or that try to break the decoder. They seed the fuzz target too.
func odd() map[string]string {
	valid := fmt.Sprintf(minimal, "odd")
	return map[string]string{
		"empty":            "",
		"only comments":    "# nothing\n---\n# at all\n",
		"binary":           "apiVersion: x\nkind: \x00\xff\xfe",
		"utf-16":           "\xff\xfea\x00:\x00",
		"list":             "- a\n- b\n",
		"text":             "just text\n",
		"tab":              "spec:\n\tseed: 1\n",
		"unclosed":         "metadata: {name: [\n",
		"two documents":    valid + "---\n" + valid,
		"broken second":    valid + "---\n{\n",
		"nested lists":     "kind: Scenario\nspec: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		"nested maps":      "kind: Scenario\nspec: " + strings.Repeat("{a: ", 9_000) + "1" + strings.Repeat("}", 9_000),
		"nested values":    valid + "    values: \n" + "  matrix: {}\n",
		"deep values":      strings.Replace(valid, "install: {}", "install: {values: {a: "+strings.Repeat("[", 9_990)+strings.Repeat("]", 9_990)+"}}", 1),
		"very deep":        strings.Repeat("[", 100_000),
		"deep blocks":      strings.Repeat("- ", 20_000),
		"alias bomb":       strings.Replace(valid, "install: {}", "install: {values: "+bomb(12)+"}", 1) + "  - {name: later, install: {}}\n  assert: [{ledger: {at: later}}]\n",
		"alias of itself":  strings.Replace(valid, "install: {}", "install: {values: &a {b: *a}}", 1),
		"alias, unknown":   strings.Replace(valid, "install: {}", "install: *nowhere", 1),
		"merge key":        strings.Replace(valid, "install: {}", "install: {<<: {chart: x}}", 1),
		"tags":             strings.Replace(valid, "install: {}", "install: {values: {a: !!binary aGk=, b: !mine 1, c: !!int x, d: !!bool x, e: .nan, f: 99999999999999999999, g: !!float x}}", 1),
		"keys":             strings.Replace(valid, "install: {}", "install: {values: {1: a, true: b, [x]: c, ? {y: z} : d, null: e, 2: f, 2: g}}", 1),
		"null everywhere":  "apiVersion:\nkind:\nmetadata:\nspec:\n",
		"null spec":        "apiVersion: rehearse.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  description: ''\n  release:\n  steps: []\n  assert:\n",
		"long unknown key": "kind: Scenario\n? " + strings.Repeat("k", 10_000) + "\n: 1\n",
		"values":           "image: {tag: v1}\nreplicas: 2\n",
		"numbers":          strings.Replace(valid, "install: {}", "rollback: 99999999999999999999999", 1),
		"long text":        strings.Replace(valid, "install: {}", "install: {}, expect: {error: {matches: '"+strings.Repeat("(", 2_000)+"'}}", 1),
		"huge matrix":      valid + "  matrix: {maxHistory: [" + numbers(300) + "]}\n",
	}
}

// bomb is a value that would expand to 10^n texts.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString("{a0: &a0 lol")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, ", a%d: &a%d [%s]", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return b.String() + "}"
}

func numbers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return strings.Join(all, ",")
}

// TestOddInput: each input is refused with every mistake located, and none harms the program.
func TestOddInput(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	inputs := odd()
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		_, err := scenario.Parse("odd.yaml", []byte(inputs[name]), scenariotest.Catalog())
		var mistakes scenario.Mistakes
		if !errors.As(err, &mistakes) {
			t.Errorf("%s: Parse returned %v, not Mistakes", name, err)
		}
		fmt.Fprintf(&out, "== %s\n%s\n", name, mistakes.Error())
	}
	golden(t, "testdata/odd.golden", out.String())
}

// TestManyMistakes: a file of nothing but mistakes does not flood the terminal.
func TestManyMistakes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	_, err := scenario.Parse("many.yaml", []byte(b.String()), scenariotest.Catalog())
	var mistakes scenario.Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) > 1_100 {
		t.Fatalf("%d mistakes are told, want about 1000", len(mistakes))
	}
	if !strings.Contains(err.Error(), "more than 1000 mistakes") {
		t.Error("nothing says that mistakes were left out")
	}
}

// write makes the files of a folder: names to contents.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadFindsFiles(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.yaml":                 fmt.Sprintf(minimal, "a"),
		"sub/b.yaml":             fmt.Sprintf(minimal, "b"),
		"sub/deep/c.yaml":        fmt.Sprintf(minimal, "c"),
		"sub/values.yml":         "tag: v1\n",
		"sub/kind.yaml":          "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n",
		"_values/values.yaml":    "tag: v1\n",
		".hidden/x.yaml":         "nonsense",
		"chart/Chart.yaml":       "name: x\n",
		"chart/templates/y.yaml": "{{ nonsense }}",
		"with[bracket].yaml":     fmt.Sprintf(minimal, "d"),
	})
	for _, c := range []struct {
		name  string
		paths []string
		want  []string
	}{
		{"a file", []string{"a.yaml"}, []string{"a.yaml"}},
		{"a folder", []string{"sub"}, []string{"sub/b.yaml", "sub/deep/c.yaml"}},
		{"everything", []string{"."}, []string{"a.yaml", "sub/b.yaml", "sub/deep/c.yaml", "with[bracket].yaml"}},
		{"a glob of files", []string{"*.yaml"}, []string{"a.yaml", "with[bracket].yaml"}},
		{"a glob of folders", []string{"s*"}, []string{"sub/b.yaml", "sub/deep/c.yaml"}},
		{"a name with pattern characters", []string{"with[bracket].yaml"}, []string{"with[bracket].yaml"}},
		{"the same file twice", []string{"a.yaml", "./a.yaml", "sub/../a.yaml"}, []string{"a.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var paths, got []string
			for _, p := range c.paths {
				paths = append(paths, dir+"/"+p)
			}
			files, err := scenario.Load(paths, scenariotest.Catalog())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				rel, _ := filepath.Rel(dir, f.Path)
				got = append(got, rel)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.yaml":                  fmt.Sprintf(minimal, "same"),
		"b.yaml":                  fmt.Sprintf(minimal, "same"),
		"huge.yaml":               "# " + strings.Repeat("x", 1<<20),
		"none/x.txt":              "",
		"charts/shop/Chart.yaml":  "name: shop\n",
		"charts/shop/values.yaml": "tag: v1\n",
		"passed/a/Chart.yaml":     "name: a\n",
		"passed/b/Chart.yaml":     "name: b\n",
		"passed/_values/x.yaml":   "tag: v1\n",
		"passed/kind.yaml":        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n",
		"values/values.yaml":      "image: {tag: v1}\nspec: {a: b}\nmetadata: {name: x}\n",
		"both/values.yaml":        "image: {tag: v1}\n",
		"both/half.yaml":          "kind: Scenario\nmetadata: {name: half}\n",
	})
	for _, c := range []struct {
		name  string
		paths []string
		want  string // a part of the message
	}{
		{"a missing file", []string{"missing.yaml"}, "missing.yaml: cannot be read: no such file"},
		{"a glob without matches", []string{"*.yml"}, "*.yml: matches no file"},
		{"a malformed glob", []string{"[.yml"}, "is not a valid pattern"},
		{"a folder without scenarios", []string{"none"}, "none: holds no *.yaml file"},
		{"a folder of charts", []string{"charts"}, "charts: holds no *.yaml file; charts are not looked into"},
		{"a folder of what is passed over", []string{"passed"}, "passed: holds no *.yaml file; charts and folders whose names begin with _ or . and kind configurations are not looked into"},
		{"a value file", []string{"values"}, "values/values.yaml:1:1: is no scenario: it has neither apiVersion nor kind; keep value files outside, or in a folder whose name begins with _ or .\n"},
		{"a value file beside a scenario that lacks something", []string{"both"}, "half.yaml:1:1: spec: is required"},
		{"a huge file", []string{"huge.yaml"}, "huge.yaml: is larger than 1048576 bytes"},
		{"a name in two files", []string{"a.yaml", "b.yaml"}, `b.yaml:3:18: metadata.name: "same" is the name of the scenario in `},
		{"several at once", []string{"missing.yaml", "a.yaml", "b.yaml"}, "b.yaml:3:18"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for _, p := range c.paths {
				paths = append(paths, dir+"/"+p)
			}
			files, err := scenario.Load(paths, scenariotest.Catalog())
			if err == nil || !strings.Contains(err.Error()+"\n", c.want) {
				t.Errorf("Load returned the error %v, want %q in it", err, c.want)
			}
			if files != nil {
				t.Errorf("Load returned %d files beside an error", len(files))
			}
		})
	}
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	_, err := scenario.Load([]string{os.DevNull}, scenariotest.Catalog())
	if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("Load returned %v", err)
	}
}

// FuzzLoad looks for inputs that panic, hang or are refused without a place.
func FuzzLoad(f *testing.F) {
	for _, input := range odd() {
		if len(input) < 10_000 { // mutations of long inputs are slow, and TestOddInput has them
			f.Add([]byte(input))
		}
	}
	for _, pattern := range []string{"testdata/*.yaml", "testdata/bad/*.yaml"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	catalog := scenariotest.Catalog()
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := scenario.Parse("fuzz.yaml", data, catalog)
		if err == nil {
			if file.Scenario.Metadata.Name == "" || len(file.Scenario.Spec.Steps) == 0 {
				t.Error("a scenario without a name or steps was accepted")
			}
			return
		}
		var mistakes scenario.Mistakes
		if !errors.As(err, &mistakes) || len(mistakes) == 0 {
			t.Fatalf("the error %v is not of type Mistakes", err)
		}
		for _, m := range mistakes {
			if m.Line < 1 || m.Column < 1 || m.Message == "" {
				t.Errorf("a mistake without place or message: %+v", m)
			}
		}
	})
}
