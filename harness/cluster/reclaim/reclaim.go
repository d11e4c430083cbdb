// Package reclaim removes things of the journal's common kinds that a killed run left behind.
package reclaim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"rehearse.dev/rehearse/harness/cluster/journal"
)

// All returns how everything is removed, in the one order that is safe: what runs, then clusters, then folders.
// Namespaces come last, because those of an embedded cluster are gone with its folder.
func All(clusters journal.Undo) []journal.Undo {
	return []journal.Undo{
		{Kind: journal.KindProcess, Remove: Process},
		clusters,
		{Kind: journal.KindDir, Remove: Dir},
		{Kind: journal.KindNamespace, Remove: Namespace},
	}
}

// Process ends the process of a record.
func Process(ctx context.Context, r journal.Record) error {
	text, started := r.Data[journal.DataProcess]
	if !started {
		return nil
	}
	p, err := journal.ParseProcess(text, r.Owner)
	if err != nil {
		return err
	}
	return p.End(ctx)
}

// Dir removes the folder of a record.
func Dir(_ context.Context, r journal.Record) error { return RemoveDir(r.Data[journal.DataPath]) }

// RemoveDir removes a folder of the harness's, and no other.
func RemoveDir(path string) error {
	if !filepath.IsAbs(path) || !strings.HasPrefix(filepath.Base(path), journal.DirPrefix) {
		return fmt.Errorf("%q is no folder that the harness makes; it is left alone", path)
	}
	return os.RemoveAll(path)
}

// Namespace deletes the namespace of a record and waits until it is gone. If its kubeconfig file is gone, so is its
// cluster.
func Namespace(ctx context.Context, r journal.Record) error {
	path, name := r.Data[journal.DataKubeconfig], r.Data[journal.DataNamespace]
	if path == "" || name == "" {
		return errors.New("the record names no kubeconfig file or no namespace")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: path},
		&clientcmd.ConfigOverrides{CurrentContext: r.Data[journal.DataContext]}).ClientConfig()
	if err != nil {
		return fmt.Errorf("read kubeconfig %s: %w", path, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client from %s: %w", path, err)
	}
	return deleteNamespace(ctx, client, name)
}

// pollInterval is how often a namespace that is being deleted is looked at; deleting takes seconds.
const pollInterval = 250 * time.Millisecond

func deleteNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil && !apierrors.IsConflict(err): // a conflict says that it is being deleted
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("namespace %s is still being deleted (does something hold a finalizer?): %w", name, context.Cause(ctx))
		}
	}
}
