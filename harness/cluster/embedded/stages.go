package embedded

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/utils/gotpl"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
)

// stageFiles say what a simulated kubelet does. For each state of a pod at most one of them applies: KWOK would choose
// between two at random.
//
//go:embed stages/*.yaml
var stageFiles embed.FS

type stageSet map[internalversion.StageResourceRef][]*internalversion.Stage

// loadStages returns KWOK's own stage for nodes and ours for pods.
func loadStages() (stageSet, error) {
	set, err := readStages()
	if err != nil {
		return nil, err
	}
	return set, prime(set)
}

// primed orders the first use of any stage before all others. A library of KWOK's keeps a table of types for the whole
// process, fills it as stages are used and guards it by nothing (github.com/wzshiming/easycel v0.6.0, getTypeValue): two
// simulated kubelets, or two clusters, would write it at the same time. Once it is full, it is only read.
var primed sync.Mutex

// prime uses each stage once.
func prime(set stageSet) error {
	primed.Lock()
	defer primed.Unlock()
	for resource, stages := range set {
		all, err := lifecycle.NewLifecycle(stages)
		if err != nil {
			return fmt.Errorf("stages of %s: %w", resource.Kind, err)
		}
		var data any = &corev1.Pod{}
		if resource.Kind == "Node" {
			data = &corev1.Node{}
		}
		if _, err := all.ListAllPossible(context.Background(), &lifecycle.Event{Data: data}); err != nil {
			return fmt.Errorf("stages of %s: %w", resource.Kind, err)
		}
	}
	return nil
}

func readStages() (stageSet, error) {
	set := stageSet{}
	if err := set.add("node-initialize of KWOK", []byte(fast.DefaultNodeInit)); err != nil {
		return nil, err
	}
	names, err := fs.Glob(stageFiles, "stages/*.yaml")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		content, err := stageFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := set.add(name, content); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func (s stageSet) add(name string, content []byte) error {
	stage, err := config.UnmarshalWithType[*internalversion.Stage](content)
	if err != nil {
		return fmt.Errorf("stage %s: %w", name, err)
	}
	s[stage.Spec.ResourceRef] = append(s[stage.Spec.ResourceRef], stage)
	return nil
}

// stageFuncs are what the pod stages' templates call beside KWOK's own functions. Templates see a pod as decoded JSON.
func stageFuncs() gotpl.FuncMap {
	return gotpl.FuncMap{
		"Precondition": func(raw any) (string, error) {
			pod, err := toPod(raw)
			return precondition(pod), err
		},
		"ConditionStatus": func(raw any, kind string) (string, error) {
			pod, err := toPod(raw)
			return string(conditionStatus(pod, corev1.PodConditionType(kind))), err
		},
		"GatesOpen": func(raw any) (bool, error) {
			pod, err := toPod(raw)
			return gatesOpen(pod), err
		},
		"LastState": func(raw any, container string) (string, error) {
			pod, err := toPod(raw)
			if err != nil {
				return "", err
			}
			return lastState(pod, container)
		},
		"InitHeld": func(raw any) (bool, error) {
			pod, err := toPod(raw)
			return initHeld(pod), err
		},
		"PullStatuses": func(raw any, init bool, reason string) (string, error) {
			pod, err := toPod(raw)
			if err != nil {
				return "", err
			}
			return pullStatuses(pod, init, reason)
		},
		"Restarts": func(raw any, container string) (int32, error) {
			pod, err := toPod(raw)
			return restarts(pod, container), err
		},
	}
}

func toPod(raw any) (pod corev1.Pod, err error) {
	content, err := json.Marshal(raw)
	if err != nil {
		return pod, err
	}
	err = json.Unmarshal(content, &pod)
	return pod, err
}

// precondition ties a patch to the very version of the pod that the stage looked at. A patch that comes too late (the
// gate has closed again, the StatefulSet has made a new pod of the same name) is a conflict, which KWOK drops; the change
// that outran it brings an event and with it a new decision.
func precondition(pod corev1.Pod) string {
	return fmt.Sprintf("metadata: {uid: %s, resourceVersion: %s}",
		strconv.Quote(string(pod.UID)), strconv.Quote(pod.ResourceVersion))
}

func conditionStatus(pod corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}

// gatesOpen tells whether each of the pod's readiness gates has a condition that is True.
func gatesOpen(pod corev1.Pod) bool {
	return !slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool {
		return conditionStatus(pod, g.ConditionType) != corev1.ConditionTrue
	})
}

func restarts(pod corev1.Pod, container string) int32 {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == container {
			return c.RestartCount
		}
	}
	return 0
}

// lastState is how a container ended last, as JSON, since the status of all containers is written as a whole.
func lastState(pod corev1.Pod, container string) (string, error) {
	var state corev1.ContainerState
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == container {
			state = c.LastTerminationState
		}
	}
	content, err := json.Marshal(state)
	return string(content), err
}
