package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
	"rehearse.dev/rehearse/harness/registry"
)

func leftoverHookEntry() registry.Entry[Code] {
	return registry.Entry[Code]{
		Name:     "leftoverHook",
		Summary:  "Leaves a hook's Job behind that has ended, as an earlier run of Helm would that did not clean up.",
		Example:  "name: stale\nleftoverHook: {hook: Job/migrate}\n",
		NewSpec:  func() any { return &v1alpha1.LeftoverHook{} },
		Validate: validated(checkLeftover),
		Code:     code(func(s *v1alpha1.LeftoverHook) breaker { return &leftover{spec: s} }),
	}
}

func checkLeftover(s *v1alpha1.LeftoverHook) []registry.Problem {
	switch {
	case s.Hook == "" && s.Job == nil:
		return []registry.Problem{{Message: "leaves nothing; state hook or job"}}
	case s.Hook != "" && s.Job != nil:
		return []registry.Problem{{Path: "job", Message: "contradicts hook; keep one of them"}}
	case s.Job != nil:
		if _, err := jobFrom(s.Job); err != nil {
			return []registry.Problem{{Path: "job", Message: err.Error()}}
		}
	default:
		if want, err := ref.Parse(s.Hook); err == nil && want.Kind != "Job" {
			return []registry.Problem{{Path: "hook", Message: want.Kind + " is no Job; only Jobs can be left over"}}
		}
	}
	return nil
}

func jobFrom(manifest map[string]any) (*unstructured.Unstructured, error) {
	job := &unstructured.Unstructured{Object: manifest}
	if job.GetKind() != "Job" || job.GetAPIVersion() != "batch/v1" || job.GetName() == "" {
		return nil, errors.New("is no Job of batch/v1 with a name")
	}
	return job, nil
}

var jobs = batchv1.SchemeGroupVersion.WithResource("jobs")

// leftover is a hook's Job of an earlier run. It fires with each write by which Helm takes it for the Job of its own
// hook, or stumbles over it. Helm's deleting it is none: that is how it should be.
type leftover struct {
	spec *v1alpha1.LeftoverHook
	job  *unstructured.Unstructured
	uid  string
	stop func()
}

func (*leftover) available(context.Context, Site) error { return nil }

func (l *leftover) aim(ctx context.Context, s Site) (Aim, error) {
	job, err := l.find(ctx, s)
	if err != nil {
		return Aim{}, err
	}
	l.job = job
	o := object{GroupVersionResource: jobs, namespace: s.Namespace, name: job.GetName()}
	_, err = o.client(s).Get(ctx, o.name, metav1.GetOptions{})
	switch {
	case err == nil:
		return Aim{}, fmt.Errorf("%w: there is a Job/%s already, so that none can be left over", ErrNoTarget, o.name)
	case !apierrors.IsNotFound(err):
		return Aim{}, fmt.Errorf("reading Job/%s: %w", o.name, err)
	}
	target := evidence.Ref{Group: batchv1.GroupName, Version: "v1", Kind: "Job", Namespace: s.Namespace, Name: o.name}
	return Aim{Targets: []evidence.Ref{target}, Undo: o.undo()}, nil
}

// find is the Job's manifest, from the scenario or from what Helm has stored.
func (l *leftover) find(ctx context.Context, s Site) (*unstructured.Unstructured, error) {
	if l.spec.Job != nil {
		return jobFrom(l.spec.Job)
	}
	want, err := ref.Parse(l.spec.Hook)
	if err != nil {
		return nil, err
	}
	record, err := recordOf(ctx, s, 0)
	if err != nil {
		return nil, err
	}
	text, found, err := hookIn(record.Data[recordKey], want.Kind, want.Name)
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", record.Name, err)
	}
	if !found {
		return nil, fmt.Errorf("%w: the newest revision of release %s has no hook %s", ErrNoTarget, s.Release, l.spec.Hook)
	}
	manifest := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &manifest); err != nil {
		return nil, fmt.Errorf("reading the manifest of hook %s: %w", l.spec.Hook, err)
	}
	return jobFrom(manifest)
}

func (l *leftover) inject(ctx context.Context, s *scene) error {
	o := undone(s.Undo)
	manager := l.spec.FieldManager
	if manager == "" {
		manager = "helm"
	}
	made, err := o.client(s.Site).Apply(ctx, o.name, l.job.DeepCopy(), metav1.ApplyOptions{FieldManager: manager})
	if err != nil {
		return fmt.Errorf("leaving Job/%s behind: %w", o.name, err)
	}
	l.uid = string(made.GetUID())
	target := refTo(made)
	writes := func(r evidence.Request) bool {
		return r.Writes() && r.Verb != "delete" && r.Resource == jobs.Resource && r.Subresource == "" &&
			r.Namespace == o.namespace && r.Name == o.name
	}
	l.stop = s.overhear(writes, func(a answer) {
		if a.status >= http.StatusBadRequest || a.says(l.uid) {
			s.firedAt(a.Request, target, a.String())
		}
	})
	return nil
}

// propagated waits until the Job has ended, as one of an earlier run has.
func (l *leftover) propagated(ctx context.Context, s *scene) error {
	o := undone(s.Undo)
	open := func(ctx context.Context) (watch.Interface, error) {
		return s.Client.BatchV1().Jobs(o.namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + o.name})
	}
	return until(ctx, open, func(ctx context.Context) (string, error) {
		job, err := s.Client.BatchV1().Jobs(o.namespace).Get(ctx, o.name, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("reading Job/%s: %w", o.name, err)
		}
		if !slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
		}) {
			return fmt.Sprintf("Job/%s has not ended yet", o.name), nil
		}
		return "", nil
	})
}

// recover removes the Job, unless Helm has made another one of its name since. Which one that is, only the process knows
// that left it; another one comes after a kill, when all of the release is removed anyway.
func (l *leftover) recover(ctx context.Context, s *scene) error {
	if l.stop != nil {
		l.stop()
	}
	o := undone(s.Undo)
	propagation := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{PropagationPolicy: &propagation}
	if l.uid != "" {
		options.Preconditions = metav1.NewUIDPreconditions(l.uid)
	}
	err := s.Client.BatchV1().Jobs(o.namespace).Delete(ctx, o.name, options)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing Job/%s: %w", o.name, err)
	}
	return nil
}

func (l *leftover) recovered(ctx context.Context, s *scene) error {
	o := undone(s.Undo)
	return until(ctx, o.watch(s.Site), func(ctx context.Context) (string, error) {
		live, err := o.client(s.Site).Get(ctx, o.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("reading Job/%s: %w", o.name, err)
		case string(live.GetUID()) == l.uid:
			return fmt.Sprintf("Job/%s is still there", o.name), nil
		}
		return "", nil
	})
}
