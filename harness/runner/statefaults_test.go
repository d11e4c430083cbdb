package runner

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/cluster"
	"rehearse.dev/rehearse/harness/fault"
)

// record is a record of Helm's of the release r, with a hook.
func record(t *testing.T) []byte {
	t.Helper()
	const text = `{"name":"r","version":1,"info":{"status":"deployed"},"hooks":[{"name":"job","kind":"Job","manifest":` +
		`"apiVersion: batch/v1\nkind: Job\nmetadata: {name: job}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n"}]}`
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(b.Bytes()))
}

const recordName = "sh.helm.release.v1.r.v1"

// furnish makes a namespace with a record of Helm's, and the identity that Helm has there.
func furnish(t *testing.T, client kubernetes.Interface, name string) []byte {
	t.Helper()
	ctx, data := t.Context(), record(t)
	_, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"mark": "kept"}}}, metav1.CreateOptions{})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: recordName}, Type: "helm.sh/release.v1", Data: map[string][]byte{"release": data}}
	_, secretErr := client.CoreV1().Secrets(name).Create(ctx, secret, metav1.CreateOptions{})
	_, grantErr := fault.Grant(ctx, client, name)
	if err := errors.Join(err, secretErr, grantErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.CoreV1().Namespaces().Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{})
	})
	return data
}

// TestUndoStateFaults breaks what Helm stands on, forgets how, and mends it from the journal alone, twice.
func TestUndoStateFaults(t *testing.T) {
	t.Parallel()
	// isWhole says whether the record holds what it held.
	isWhole := func(t *testing.T, client kubernetes.Interface, ns string, data []byte) bool {
		secrets, err := client.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(secrets.Items) == 1 && secrets.Items[0].Name == recordName && bytes.Equal(secrets.Items[0].Data["release"], data)
	}
	for name, test := range map[string]struct {
		kind string
		spec any
		// whole says whether all is as it was.
		whole func(t *testing.T, client kubernetes.Interface, ns string, data []byte) bool
	}{
		"revoke": {
			"revokeAccess", &v1alpha1.RevokeAccess{Verbs: []string{"patch"}, Groups: []string{"apps"}},
			func(t *testing.T, client kubernetes.Interface, ns string, _ []byte) bool {
				role, err := client.RbacV1().ClusterRoles().Get(t.Context(), "rehearse:helm:"+ns, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				return len(role.Rules) == 2 && role.Rules[0].Verbs[0] == "*" && role.Rules[0].APIGroups[0] == "*"
			},
		},
		"stick": {
			"stickFinalizer", &v1alpha1.StickFinalizer{Object: "Secret/" + recordName},
			func(t *testing.T, client kubernetes.Interface, ns string, _ []byte) bool {
				secret, err := client.CoreV1().Secrets(ns).Get(t.Context(), recordName, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				return len(secret.Finalizers) == 0
			},
		},
		"terminate": {
			"terminateNamespace", &v1alpha1.TerminateNamespace{},
			func(t *testing.T, client kubernetes.Interface, ns string, _ []byte) bool {
				live, err := client.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				return live.DeletionTimestamp == nil && live.Labels["mark"] == "kept"
			},
		},
		"leftover": {
			"leftoverHook", &v1alpha1.LeftoverHook{Hook: "Job/job"},
			func(t *testing.T, client kubernetes.Interface, ns string, _ []byte) bool {
				_, err := client.BatchV1().Jobs(ns).Get(t.Context(), "job", metav1.GetOptions{})
				return apierrors.IsNotFound(err)
			},
		},
		"deleted":    {"releaseSecret", &v1alpha1.ReleaseSecret{Becomes: "deleted"}, isWhole},
		"bad":        {"releaseSecret", &v1alpha1.ReleaseSecret{Becomes: "badJSON", Revision: 1}, isWhole},
		"duplicated": {"releaseSecret", &v1alpha1.ReleaseSecret{Becomes: "duplicated"}, isWhole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, j, ns := fragile{borrow(t)}, openJournal(t), "undo-"+name
			client := kubernetesOf(t, c)
			data := furnish(t, client, ns)
			if !test.whole(t, client, ns, data) {
				t.Fatal("it is broken before anything was broken")
			}
			site, err := fault.NewSite(c, ns)
			if err != nil {
				t.Fatal(err)
			}
			site.Release = "r"
			spec := v1alpha1.Fault{Name: "f", Do: v1alpha1.Choice{Kind: test.kind, Spec: test.spec}}
			life, err := fault.NewLife(spec, site, nowhere{}, fault.Note{Journal: j, Cluster: c.Name()})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(life.SetUp(t.Context()), life.Inject(t.Context()), life.WaitForPropagation(t.Context())); err != nil {
				t.Fatal(err)
			}
			all := records(t, j)
			if len(all) != 1 || test.whole(t, client, ns, data) {
				t.Fatalf("it is whole while the fault is active; journal %+v", all)
			}
			for key, value := range all[0].Data {
				if strings.Contains(value, string(data)) {
					t.Errorf("the journal holds what only a Secret may, as %s", key)
				}
			}
			undo := fault.Undo(func(context.Context, string) (cluster.Cluster, error) { return c, nil })
			for range 2 {
				if err := undo.Remove(t.Context(), all[0]); err != nil || !test.whole(t, client, ns, data) {
					t.Errorf("it is not whole again: %v", err)
				}
			}
		})
	}
}

// TestHelmsOwnRecordStays: what Helm has written since a record broke is not overwritten when the fault recovers.
func TestHelmsOwnRecordStays(t *testing.T) {
	t.Parallel()
	c, ns := fragile{borrow(t)}, "records-of-helm"
	client := kubernetesOf(t, c)
	furnish(t, client, ns)
	site, err := fault.NewSite(c, ns)
	if err != nil {
		t.Fatal(err)
	}
	site.Release = "r"
	for _, becomes := range []string{"deleted", "badGzip"} {
		spec := v1alpha1.Fault{Name: "f", Do: v1alpha1.Choice{Kind: "releaseSecret", Spec: &v1alpha1.ReleaseSecret{Becomes: becomes}}}
		life, err := fault.NewLife(spec, site, nowhere{}, fault.Note{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(life.SetUp(t.Context()), life.Inject(t.Context()), life.WaitForPropagation(t.Context())); err != nil {
			t.Fatal(err)
		}
		secrets := client.CoreV1().Secrets(ns)
		newer := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: recordName}, Type: "helm.sh/release.v1", Data: map[string][]byte{"release": append(record(t), '\n')}}
		if _, err = secrets.Update(t.Context(), newer, metav1.UpdateOptions{}); apierrors.IsNotFound(err) {
			_, err = secrets.Create(t.Context(), newer, metav1.CreateOptions{})
		}
		if err := errors.Join(err, life.Recover(t.Context()), life.WaitForRecovery(t.Context())); err != nil {
			t.Fatal(err)
		}
		list, err := secrets.List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 || !bytes.HasSuffix(list.Items[0].Data["release"], []byte("\n")) {
			t.Errorf("%s: %d Secrets, %v", becomes, len(list.Items), err)
		}
	}
}
