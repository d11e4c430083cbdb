package release

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"rehearse.dev/rehearse/harness/evidence"
)

// record is a stored revision of the release shop.
func record(version int, change func(*v1.Release)) *v1.Release {
	r := &v1.Release{
		Name: "shop", Version: version, ApplyMethod: "ssa",
		Info: &v1.Info{
			Status: common.StatusDeployed, Description: "Install complete",
			LastDeployed: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		Chart:    &chart.Chart{Metadata: &chart.Metadata{Name: "shop", Version: "1.0.0", AppVersion: "1"}},
		Manifest: "---\n# Source: shop\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
		Hooks: []*v1.Hook{{
			Name: "migrate", Kind: "Job", Path: "migrate.yaml", Weight: 3, Events: []v1.HookEvent{v1.HookPreInstall, v1.HookPreRollback},
			Manifest: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\n",
			LastRun:  v1.HookExecution{Phase: v1.HookPhaseSucceeded, StartedAt: time.Unix(1, 0).UTC(), CompletedAt: time.Unix(2, 0).UTC()},
		}},
	}
	if change != nil {
		change(r)
	}
	return r
}

// stored packs a record as Helm does.
func stored(t *testing.T, name string, r *v1.Release) *corev1.Secret {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return secret(name, base64.StdEncoding.EncodeToString(buf.Bytes()))
}

func secret(name, data string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"},
		Type:       recordType,
		Data:       map[string][]byte{"release": []byte(data)},
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	first := stored(t, "sh.helm.release.v1.shop.v2", record(2, nil))
	client := fake.NewClientset(
		stored(t, "sh.helm.release.v1.shop.v10", record(10, func(r *v1.Release) {
			r.Info.Status, r.ApplyMethod, r.Hooks = common.StatusPendingRollback, "", nil
		})),
		first,
		stored(t, "sh.helm.release.v1.shop.v3", record(3, func(r *v1.Release) { r.Manifest += "---\nkind: [\n" })),
		secret("sh.helm.release.v1.shop.v4", "%%%"),
		secret("sh.helm.release.v1.shop.v5", b64("\x1f\x8b\x08 not gzip")),
		secret("sh.helm.release.v1.shop.v6", b64("{}")),
		secret("sh.helm.release.v1.shop.v7", ""),
		secret("sh.helm.release.v1.shop.v8", b64("[1]")),
		// None of the release's: another release, and names that only look like its own.
		stored(t, "sh.helm.release.v1.shop.v1.v1", record(1, nil)),
		stored(t, "sh.helm.release.v1.shop2.v1", record(1, nil)),
		stored(t, "sh.helm.release.v1.shop.vx", record(1, nil)),
	)
	got, err := (&Observer{client: client, namespace: "ns", release: "shop"}).Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, r := range got.Revisions {
		seen = append(seen, fmt.Sprintf("%d %s %q, %d objects, %d hooks", r.Revision, r.Status, r.ApplyMethod, len(r.Manifest), len(r.Hooks)))
	}
	want := []string{
		`2 deployed "ssa", 1 objects, 1 hooks`,
		`3 deployed "ssa", 1 objects, 1 hooks`,
		`10 pending-rollback "", 1 objects, 0 hooks`,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("revisions differ (-want +got):\n%s", diff)
	}
	wantFirst := evidence.Revision{
		Revision: 2, Status: "deployed", ApplyMethod: "ssa", Description: "Install complete", Chart: "shop-1.0.0", AppVersion: "1",
		Deployed: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Manifest: []map[string]any{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}}},
		Hooks: []evidence.Hook{{
			Ref: evidence.Ref{Group: "batch", Version: "v1", Kind: "Job", Name: "migrate"}, Events: []string{"pre-install", "pre-rollback"},
			Weight: 3, Phase: "Succeeded", Started: time.Unix(1, 0).UTC(), Completed: time.Unix(2, 0).UTC(),
		}},
		StorageBytes: len(first.Data["release"]),
	}
	if diff := cmp.Diff(wantFirst, got.Revisions[0]); diff != "" {
		t.Errorf("the first revision differs (-want +got):\n%s", diff)
	}
	for version, want := range map[int]string{3: "its manifest: document 2", 4: "not base64", 5: "not gzip", 6: "no status", 7: "no data", 8: "not a release"} {
		name := fmt.Sprintf("sh.helm.release.v1.shop.v%d", version)
		if !strings.Contains(got.Unreadable[name], want) {
			t.Errorf("%s: got %q, want %q", name, got.Unreadable[name], want)
		}
		delete(got.Unreadable, name)
	}
	if len(got.Unreadable) != 0 {
		t.Errorf("named without a reason: %v", got.Unreadable)
	}
}
