package providers

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster/embedded"
	"rehearse.dev/rehearse/harness/cluster/journal"
)

// TestRegistryIsWhatScenariosCanName: the format's own list is that of the registry.
func TestRegistryIsWhatScenariosCanName(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[v1alpha1.Cluster]().FieldByName("Provider")
	if !ok {
		t.Fatal("a scenario's cluster names no provider")
	}
	if diff := cmp.Diff(Registry().Names(), strings.Split(field.Tag.Get("enum"), ",")); diff != "" {
		t.Errorf("providers (-registry +format):\n%s", diff)
	}
	for _, name := range Registry().Names() {
		entry, err := Registry().Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		provider, err := entry.Code.New(Options{}, entry.NewSpec())
		if err != nil {
			t.Fatal(err)
		}
		if provider.Name() != name {
			t.Errorf("entry %s makes provider %s", name, provider.Name())
		}
		if !strings.HasSuffix(entry.Summary, ".") || !strings.HasPrefix(entry.Example, "cluster:") {
			t.Errorf("%s: summary %q, example %q", name, entry.Summary, entry.Example)
		}
	}
}

// TestKubeVersionUntold: where the binary that is named does not tell its version, charts are rendered for the one that would be
// built. One that does is in TestPlanForABinary.
func TestKubeVersionUntold(t *testing.T) {
	built, err := embedded.KubeVersion()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, binary := range map[string]string{
		"none named":      "",
		"cannot be told":  script,
		"missing":         filepath.Join(dir, "none"), // the boot has the error
		"another program": os.Args[0],
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(embedded.EnvKubeBinary, binary)
			entry, err := Registry().Lookup("embedded")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := entry.Code.KubeVersion(t.Context(), Options{}, nil); err != nil || got != built {
				t.Errorf("%s, %v; want %s", got, err, built)
			}
		})
	}
}

// TestUndoLeavesUnknownProvidersAlone: a newer version of the program may know them.
func TestUndoLeavesUnknownProvidersAlone(t *testing.T) {
	t.Parallel()
	r := journal.Record{Kind: journal.KindCluster, ID: "x", Data: map[string]string{journal.DataProvider: "minikube"}}
	if err := Undo().Remove(t.Context(), r); err == nil || !strings.Contains(err.Error(), "minikube") {
		t.Errorf("error: %v", err)
	}
}
