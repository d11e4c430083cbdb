package fault

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
)

func pendingVolumeEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:    "pendingVolume",
		Summary: "Keeps claims waiting for a volume, as if the storage provisioner were down; pods that need them stay Pending.",
		Example: "name: no-volume\npendingVolume: {claim: data-db-1}\n",
		NewSpec: func() any { return &v1alpha1.PendingVolume{} },
		Code:    code(func(s *v1alpha1.PendingVolume) breaker { return &volume{claim: s.Claim} }),
	}
}

const (
	// unprovisioned begins the name of the provisioner that a claim is told to wait for; that of its own follows.
	unprovisioned = "unavailable.invalid/"
	// undoClaim is the key of the claim's name in an Undo.
	undoClaim = "claim"
)

// provisionerKeys are the annotations by which Kubernetes tells provisioners whose claim it is. It writes both.
var provisionerKeys = []string{"volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"}

//go:embed volume.yaml
var volumeTemplate string

// volume is claims that no provisioner serves. What is changed is the annotation with which the controller manager calls
// the provisioner: nothing that a chart would state.
type volume struct{ claim string }

func (*volume) available(ctx context.Context, s Site) error { return servesMutation(ctx, s) }

func (v *volume) aim(_ context.Context, s Site) (Aim, error) {
	aim := aimAtNamespace(s, uniqueName(s, "volume"))
	aim.Undo[undoClaim] = v.claim
	if v.claim != "" {
		aim.Targets = []evidence.Ref{{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: s.Namespace, Name: v.claim}}
	}
	return aim, nil
}

func (*volume) inject(ctx context.Context, s *scene) error {
	return s.mutate(ctx, volumeTemplate, "$NAMESPACE", s.Namespace, "$NAME", s.Undo[undoName], "$CLAIM", s.Undo[undoClaim], "$PREFIX", unprovisioned)
}

func (*volume) propagated(ctx context.Context, s *scene) error {
	return s.awaitMutation(ctx, s.Undo[undoName], true)
}

// hold watches for claims that wait for the provisioner that there is not.
func (*volume) hold(ctx context.Context, s *scene) error {
	seen := map[types.UID]bool{}
	for ctx.Err() == nil {
		w, err := s.watchClaims(ctx)
		if err != nil {
			return fmt.Errorf("watching claims: %w", err)
		}
		for change := range w.ResultChan() {
			claim, ok := change.Object.(*corev1.PersistentVolumeClaim)
			if ok && kept(claim) && !seen[claim.UID] {
				seen[claim.UID] = true
				s.fired(evidence.Ref{
					Version: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: string(claim.UID),
				}, "waits for a volume by "+claim.Annotations[provisionerKeys[0]])
			}
		}
	}
	return nil
}

func (s Site) watchClaims(ctx context.Context) (watch.Interface, error) {
	return s.Client.CoreV1().PersistentVolumeClaims(s.Namespace).Watch(ctx, metav1.ListOptions{})
}

// kept tells whether this fault keeps a claim from its volume.
func kept(claim *corev1.PersistentVolumeClaim) bool {
	return strings.HasPrefix(claim.Annotations[provisionerKeys[0]], unprovisioned) && claim.Spec.VolumeName == ""
}

// recover takes the policy away and names each claim's own provisioner again, which then serves it.
func (*volume) recover(ctx context.Context, s *scene) error {
	if err := s.unmutate(ctx, s.Undo[undoName]); err != nil {
		return err
	}
	claims, err := s.Client.CoreV1().PersistentVolumeClaims(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing claims: %w", err)
	}
	for i := range claims.Items {
		if err := release(ctx, s, &claims.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func release(ctx context.Context, s *scene, claim *corev1.PersistentVolumeClaim) error {
	own := map[string]string{}
	for _, key := range provisionerKeys {
		if name, ok := strings.CutPrefix(claim.Annotations[key], unprovisioned); ok {
			own[key] = name
		}
	}
	if len(own) == 0 || s.Undo[undoClaim] != "" && s.Undo[undoClaim] != claim.Name {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": claim.UID, "annotations": own}})
	if err != nil {
		return err
	}
	_, err = s.Client.CoreV1().PersistentVolumeClaims(claim.Namespace).Patch(ctx, claim.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: userAgent})
	if ignoreNotFound(err) != nil {
		return fmt.Errorf("naming the provisioner of claim %s/%s again: %w", claim.Namespace, claim.Name, err)
	}
	return nil
}

// recovered waits until no claim waits for the provisioner that there is not. When its own one serves it is for
// assertions to say.
func (*volume) recovered(ctx context.Context, s *scene) error {
	return until(ctx, s.watchClaims, func(ctx context.Context) (string, error) {
		claims, err := s.Client.CoreV1().PersistentVolumeClaims(s.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", fmt.Errorf("listing claims: %w", err)
		}
		for i := range claims.Items {
			claim := &claims.Items[i]
			if kept(claim) && (s.Undo[undoClaim] == "" || s.Undo[undoClaim] == claim.Name) {
				return fmt.Sprintf("claim %s still waits for a volume by %s", claim.Name, claim.Annotations[provisionerKeys[0]]), nil
			}
		}
		return "", nil
	})
}
