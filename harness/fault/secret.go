package fault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func releaseSecretEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "releaseSecret",
		Summary: "Deletes, corrupts, duplicates or fills up the record that Helm keeps of a revision.",
		Example: "name: record-gone\nreleaseSecret: {revision: 1, becomes: deleted}\n",
		NewSpec: func() any { return &v1alpha1.ReleaseSecret{} },
		Code:    code(func(s *v1alpha1.ReleaseSecret) breaker { return &broken{spec: s} }),
	}
}

const (
	becomesDeleted    = "deleted"
	becomesDuplicated = "duplicated"
	// undoSecret, undoBecomes and undoDigest are the keys in an Undo of the record, of what became of it, and of the
	// bytes that it holds then.
	undoSecret  = "secret"
	undoBecomes = "becomes"
	undoDigest  = "digest"
	// copySuffix is the end of the name of a record's double, backupPrefix the start of that of its backup.
	copySuffix   = ".copy"
	backupPrefix = "rehearse.backup."
	// labelsAnnotation holds a record's labels in its backup, where they would make it a record of Helm's.
	labelsAnnotation = "rehearse.dev/labels"
)

// broken is a record of Helm's that is not as Helm left it. The bytes that Helm left stay in the cluster, in a Secret
// beside it, so that no file holds what only a Secret may.
type broken struct {
	spec *v1alpha1.ReleaseSecret
	// was is the record, and data what it is to hold.
	was  *corev1.Secret
	data []byte
}

func (*broken) available(context.Context, Site) error { return nil }

func (b *broken) aim(ctx context.Context, s Site) (Aim, error) {
	record, err := recordOf(ctx, s, b.spec.Revision)
	if err != nil {
		return Aim{}, err
	}
	b.was = record
	undo := map[string]string{undoSecret: record.Name, undoBecomes: b.spec.Becomes}
	switch b.spec.Becomes {
	case becomesDeleted, becomesDuplicated:
	default:
		if b.data, err = spoil(record.Data[recordKey], b.spec.Becomes); err != nil {
			return Aim{}, fmt.Errorf("%w: Secret %s: %w", ErrNoTarget, record.Name, err)
		}
		undo[undoDigest] = digest(b.data)
	}
	target := evidence.Ref{Version: "v1", Kind: "Secret", Namespace: s.Namespace, Name: record.Name, UID: string(record.UID)}
	return Aim{Targets: []evidence.Ref{target}, Undo: undo}, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// recordOf reads the record of a revision; 0 is the newest.
func recordOf(ctx context.Context, s Site, revision int) (*corev1.Secret, error) {
	list, err := s.Client.CoreV1().Secrets(s.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=" + recordType})
	if err != nil {
		return nil, fmt.Errorf("reading Helm's storage: %w", err)
	}
	var found *corev1.Secret
	newest := 0
	for i := range list.Items {
		number, ok := strings.CutPrefix(list.Items[i].Name, recordPrefix+s.Release+".v")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || revision != 0 && n != revision || n < newest {
			continue
		}
		found, newest = &list.Items[i], n
	}
	switch {
	case found == nil && revision == 0:
		return nil, fmt.Errorf("%w: Helm's storage holds no revision of release %s", ErrNoTarget, s.Release)
	case found == nil:
		return nil, fmt.Errorf("%w: Helm's storage holds no revision %d of release %s", ErrNoTarget, revision, s.Release)
	}
	return found, nil
}

func (b *broken) inject(ctx context.Context, s *scene) error {
	secrets, options := s.Client.CoreV1().Secrets(s.Namespace), metav1.CreateOptions{FieldManager: userAgent}
	if b.spec.Becomes == becomesDuplicated {
		double := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: b.was.Name + copySuffix, Labels: b.was.Labels}, Type: b.was.Type, Data: b.was.Data,
		}
		if _, err := secrets.Create(ctx, double, options); err != nil {
			return fmt.Errorf("copying Secret %s: %w", b.was.Name, err)
		}
		return nil
	}
	labels, err := json.Marshal(b.was.Labels)
	if err != nil {
		return err
	}
	backup := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Name: backupPrefix + b.was.Name, Annotations: map[string]string{labelsAnnotation: string(labels)},
	}, Type: b.was.Type, Data: b.was.Data}
	if _, err := secrets.Create(ctx, backup, options); err != nil {
		return fmt.Errorf("keeping what Secret %s holds: %w", b.was.Name, err)
	}
	if b.spec.Becomes == becomesDeleted {
		err = secrets.Delete(ctx, b.was.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(b.was.UID))})
	} else {
		changed := b.was.DeepCopy()
		changed.Data[recordKey] = b.data
		_, err = secrets.Update(ctx, changed, metav1.UpdateOptions{FieldManager: userAgent})
	}
	if err != nil {
		return fmt.Errorf("breaking Secret %s (%s): %w", b.was.Name, b.spec.Becomes, err)
	}
	return nil
}

// propagated looks whether the record is as it is to be. Reads are consistent, so there is nothing to wait for.
func (b *broken) propagated(ctx context.Context, s *scene) error {
	is, err := isBroken(ctx, s)
	if err == nil && !is {
		err = fmt.Errorf("secret %s is not %s: somebody has written it since", s.Undo[undoSecret], s.Undo[undoBecomes])
	}
	if err == nil {
		s.fired(s.Targets[0], s.Undo[undoBecomes])
	}
	return err
}

// isBroken reports whether the record is as the fault left it.
func isBroken(ctx context.Context, s *scene) (bool, error) {
	name := s.Undo[undoSecret]
	if s.Undo[undoBecomes] == becomesDuplicated {
		name += copySuffix
	}
	live, err := s.Client.CoreV1().Secrets(s.Namespace).Get(ctx, name, metav1.GetOptions{})
	if ignoreNotFound(err) != nil {
		return false, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	switch exists := err == nil; s.Undo[undoBecomes] {
	case becomesDeleted:
		return !exists, nil
	case becomesDuplicated:
		return exists, nil
	default:
		return exists && digest(live.Data[recordKey]) == s.Undo[undoDigest], nil
	}
}

// recover puts the very bytes back that Helm had left. A record that Helm has written since, or deleted, is Helm's and
// left alone.
func (b *broken) recover(ctx context.Context, s *scene) error {
	secrets, name := s.Client.CoreV1().Secrets(s.Namespace), s.Undo[undoSecret]
	if s.Undo[undoBecomes] == becomesDuplicated {
		if err := ignoreNotFound(secrets.Delete(ctx, name+copySuffix, metav1.DeleteOptions{})); err != nil {
			return fmt.Errorf("removing the copy of Secret %s: %w", name, err)
		}
		return nil
	}
	backup, err := secrets.Get(ctx, backupPrefix+name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil // it was put back, or never broken
	}
	if err != nil {
		return fmt.Errorf("reading the backup of Secret %s: %w", name, err)
	}
	is, err := isBroken(ctx, s)
	if err != nil {
		return err
	}
	if is {
		if err := restore(ctx, s, backup); err != nil {
			return fmt.Errorf("putting Secret %s back: %w", name, err)
		}
	}
	if err := ignoreNotFound(secrets.Delete(ctx, backup.Name, metav1.DeleteOptions{})); err != nil {
		return fmt.Errorf("removing the backup of Secret %s: %w", name, err)
	}
	return nil
}

func restore(ctx context.Context, s *scene, backup *corev1.Secret) error {
	secrets, name := s.Client.CoreV1().Secrets(s.Namespace), s.Undo[undoSecret]
	if s.Undo[undoBecomes] == becomesDeleted {
		record := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: backup.Type, Data: backup.Data}
		if err := json.Unmarshal([]byte(backup.Annotations[labelsAnnotation]), &record.Labels); err != nil {
			return fmt.Errorf("reading its labels: %w", err)
		}
		_, err := secrets.Create(ctx, record, metav1.CreateOptions{FieldManager: userAgent})
		return err
	}
	live, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	live.Data = backup.Data
	_, err = secrets.Update(ctx, live, metav1.UpdateOptions{FieldManager: userAgent})
	return err
}

func (*broken) recovered(ctx context.Context, s *scene) error {
	is, err := isBroken(ctx, s)
	// A deleted record that Helm deleted as well, for example by uninstalling, is not to be told from one that is gone;
	// recover has put it back.
	if err == nil && is {
		err = fmt.Errorf("secret %s is still %s", s.Undo[undoSecret], s.Undo[undoBecomes])
	}
	return err
}
