package embedded

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	// storageClass is the default class, by the name that kind gives it.
	storageClass = "standard"
	// provisioner names us in the class and in volumes.
	provisioner           = "rehearse.dev/simulated"
	claimProvisionerKey   = "volume.kubernetes.io/storage-provisioner"
	volumeProvisionerKey  = "pv.kubernetes.io/provisioned-by"
	defaultClassKey       = "storageclass.kubernetes.io/is-default-class"
	simulatedVolumeFolder = "/simulated/"
)

// createStorageClass makes the default class, which charts with claims count on. As in kind, a volume is made when the
// first pod that wants it has been scheduled.
func createStorageClass(ctx context.Context, client kubernetes.Interface) error {
	binding, reclaim := storagev1.VolumeBindingWaitForFirstConsumer, corev1.PersistentVolumeReclaimDelete
	class := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: storageClass, Annotations: map[string]string{defaultClassKey: "true"}},
		Provisioner:       provisioner,
		ReclaimPolicy:     &reclaim,
		VolumeBindingMode: &binding,
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make the storage class %s: %w", storageClass, err)
	}
	return nil
}

// startVolumes plays the storage provisioner until ctx ends: it makes volumes for claims, which the controller manager
// then binds, and removes them once they are released.
func startVolumes(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	// An error is logged and not retried: the controller manager looks at pending claims again and so brings a new event.
	claims := handler(ctx, func(claim *corev1.PersistentVolumeClaim) error { return provision(ctx, client, claim) })
	volumes := handler(ctx, func(volume *corev1.PersistentVolume) error { return release(ctx, client, volume) })
	if _, err := factory.Core().V1().PersistentVolumeClaims().Informer().AddEventHandler(claims); err != nil {
		return fmt.Errorf("simulated volumes: %w", err)
	}
	if _, err := factory.Core().V1().PersistentVolumes().Informer().AddEventHandler(volumes); err != nil {
		return fmt.Errorf("simulated volumes: %w", err)
	}
	factory.StartWithContext(ctx)
	return nil
}

// handler calls do with each object that is new or changed.
func handler[T any](ctx context.Context, do func(T) error) cache.ResourceEventHandler {
	call := func(obj any) {
		if o, ok := obj.(T); ok {
			if err := do(o); err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "simulated volumes")
			}
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: call, UpdateFunc: func(_, obj any) { call(obj) }}
}

func provision(ctx context.Context, client kubernetes.Interface, claim *corev1.PersistentVolumeClaim) error {
	if claim.Annotations[claimProvisionerKey] != provisioner || claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil {
		return nil
	}
	name := "pvc-" + string(claim.UID)
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{volumeProvisionerKey: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      claim.Spec.Resources.Requests,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: simulatedVolumeFolder + name},
			},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
		},
	}
	if claim.Spec.StorageClassName != nil {
		volume.Spec.StorageClassName = *claim.Spec.StorageClassName
	}
	_, err := client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make a volume for claim %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	return nil
}

func release(ctx context.Context, client kubernetes.Interface, volume *corev1.PersistentVolume) error {
	ours := volume.Annotations[volumeProvisionerKey] == provisioner
	if !ours || volume.Status.Phase != corev1.VolumeReleased || volume.DeletionTimestamp != nil ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	err := client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove volume %s: %w", volume.Name, err)
	}
	return nil
}
