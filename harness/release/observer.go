package release

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rehearse.dev/rehearse/harness/evidence"
)

const (
	// recordType is the type of the Secrets that Helm keeps releases in.
	recordType = "helm.sh/release.v1"
	// maxRecord bounds a record's size once unpacked. A Secret holds 1 MiB, packed.
	maxRecord = 256 << 20
)

// Observer reads what Helm's storage really holds. It does not go through Helm's storage driver, which drops records
// that it cannot read.
type Observer struct {
	client    kubernetes.Interface
	namespace string
	release   string
}

// NewObserver returns the observer of one release.
func NewObserver(cfg *rest.Config, namespace, release string) (*Observer, error) {
	own := rest.CopyConfig(cfg)
	own.QPS, own.RateLimiter = -1, nil
	client, err := kubernetes.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("observing Helm's storage: making a client of the cluster at %s: %w", cfg.Host, err)
	}
	return &Observer{client: client, namespace: namespace, release: release}, nil
}

// Ledger reads every revision, oldest first. A record that cannot be read is named in Unreadable, with the reason, and
// so is one whose manifest can be read only in part. The objects are as stored: values of Secrets are in the clear.
func (o *Observer) Ledger(ctx context.Context) (evidence.Ledger, error) {
	ledger := evidence.Ledger{Release: o.release, Namespace: o.namespace}
	// A broken record may have lost its labels, so its name counts too. A copy under another name is a record to Helm, which
	// goes by labels alone.
	secrets, err := o.client.CoreV1().Secrets(o.namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=" + recordType})
	if err != nil {
		return ledger, fmt.Errorf("reading Helm's storage of release %s/%s: %w", o.namespace, o.release, err)
	}
	for _, secret := range secrets.Items {
		if o.ours(secret) {
			addRecord(&ledger, secret)
		}
	}
	slices.SortStableFunc(ledger.Revisions, func(a, b evidence.Revision) int { return cmp.Compare(a.Revision, b.Revision) })
	return ledger, nil
}

// ours tells whether a Secret is a record of the release: by its labels, or by its name, sh.helm.release.v1.NAME.vN.
func (o *Observer) ours(secret corev1.Secret) bool {
	if secret.Labels["owner"] == "helm" && secret.Labels["name"] == o.release {
		return true
	}
	number, ok := strings.CutPrefix(secret.Name, "sh.helm.release.v1."+o.release+".v")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

func addRecord(ledger *evidence.Ledger, secret corev1.Secret) {
	unreadable := func(err error) {
		if ledger.Unreadable == nil {
			ledger.Unreadable = map[string]string{}
		}
		ledger.Unreadable[secret.Name] = err.Error()
	}
	packed := secret.Data["release"]
	record, err := decodeRecord(packed)
	if err != nil {
		unreadable(err)
		return
	}
	revision, err := revisionOf(record)
	if err != nil {
		unreadable(err)
	}
	revision.StorageBytes = len(packed)
	ledger.Revisions = append(ledger.Revisions, revision)
}

// decodeRecord unpacks a record: base64 of gzip of JSON; very old ones are not compressed.
func decodeRecord(packed []byte) (*v1.Release, error) {
	if len(packed) == 0 {
		return nil, errors.New("the Secret has no data under the key release")
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(packed)))
	n, err := base64.StdEncoding.Decode(data, packed)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	data = data[:n]
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b, 0x08}) {
		if data, err = gunzip(data); err != nil {
			return nil, fmt.Errorf("not gzip: %w", err)
		}
	}
	var record v1.Release
	if err := json.Unmarshal(data, &record); err != nil {
		return nil, fmt.Errorf("not a release: %w", err)
	}
	if record.Info == nil || record.Version == 0 {
		return nil, errors.New("not a release: it has no status or no revision number")
	}
	return &record, nil
}

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err == nil && len(out) > maxRecord {
		err = fmt.Errorf("it unpacks to more than %d bytes", maxRecord)
	}
	return out, err
}

// revisionOf describes a record. On error it describes what could be read.
func revisionOf(record *v1.Release) (evidence.Revision, error) {
	r := evidence.Revision{
		Revision:    record.Version,
		Status:      record.Info.Status.String(),
		ApplyMethod: record.ApplyMethod,
		Description: record.Info.Description,
		Deployed:    record.Info.LastDeployed,
	}
	if record.Chart != nil && record.Chart.Metadata != nil {
		r.Chart = record.Chart.Metadata.Name + "-" + record.Chart.Metadata.Version
		r.AppVersion = record.Chart.Metadata.AppVersion
	}
	var errs []error
	var err error
	if r.Manifest, err = parseManifest(record.Manifest); err != nil {
		errs = append(errs, fmt.Errorf("its manifest: %w", err))
	}
	for _, h := range record.Hooks {
		hook, err := hookOf(h)
		if err != nil {
			errs = append(errs, fmt.Errorf("hook %s: %w", h.Path, err))
		}
		r.Hooks = append(r.Hooks, hook)
	}
	return r, errors.Join(errs...)
}

func hookOf(h *v1.Hook) (evidence.Hook, error) {
	hook := evidence.Hook{
		Ref:       evidence.Ref{Kind: h.Kind, Name: h.Name},
		Weight:    h.Weight,
		Phase:     h.LastRun.Phase.String(),
		Started:   h.LastRun.StartedAt,
		Completed: h.LastRun.CompletedAt,
	}
	for _, e := range h.Events {
		hook.Events = append(hook.Events, e.String())
	}
	objects, err := parseManifest(h.Manifest)
	if len(objects) > 0 {
		hook.Ref = refOf(objects[0])
	}
	return hook, err
}
