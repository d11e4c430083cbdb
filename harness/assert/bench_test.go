package assert_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/assert"
	"rehearse.dev/rehearse/harness/evidence"
)

// bigBundle is a release of many Deployments that writes events events.
func bigBundle(b *testing.B, events int) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "bundle")
	steps := []string{"v1", "scaled", "v2", "back"}
	rec, err := evidence.Create(dir, evidence.Variant{Release: "shop", Namespace: "ns", Steps: steps})
	if err != nil {
		b.Fatal(err)
	}
	var manifest, live []map[string]any
	for i := range 200 {
		m := parse(fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: d%d}, spec: {replicas: 1, template: {spec: {containers: [{name: app, image: x}]}}}}`, i))
		o := clone(m)
		meta := o["metadata"].(map[string]any)
		meta["namespace"] = "ns"
		meta["managedFields"] = []any{entry("helm", "Apply", "", map[string]any{"f:spec": fieldsOf(m["spec"].(map[string]any))})}
		manifest, live = append(manifest, m), append(live, o)
	}
	n := 0
	for revision, step := range steps {
		rec.SetStep(step)
		rec.Record(evidence.Event{Started: &evidence.StepStarted{Operation: "upgrade"}})
		for ; n < events*(revision+1)/len(steps); n += 3 {
			o := live[n/3%len(live)]
			rv := fmt.Sprint(n)
			rec.Object(evidence.ObjectVersion{Ref: refOf(o), Change: evidence.Modified, ResourceVersion: rv, Generation: int64(n)}, o)
			rec.Record(evidence.Event{Transition: &evidence.Transition{Ref: refOf(o), From: "InProgress", To: "Current", ResourceVersion: rv}})
			rec.Record(evidence.Event{KubeEvent: &evidence.KubeEvent{Regarding: refOf(o), Type: "Normal", Reason: "Scaled", Message: "scaled up", Count: 1}})
		}
		rec.Record(evidence.Event{Finished: &evidence.StepFinished{Operation: "upgrade"}})
		err := rec.Snapshot(evidence.Snapshot{Step: step, Objects: live, Ledger: evidence.Ledger{
			Release: "shop", Namespace: "ns", Revisions: []evidence.Revision{{Revision: revision + 1, Status: "deployed", ApplyMethod: "ssa", Manifest: manifest}},
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkJudge reads and judges a bundle of 100,000 events with every assertion. Budget: 1 s for both.
func BenchmarkJudge(b *testing.B) {
	dir := bigBundle(b, 100_000)
	spec := v1alpha1.Spec{}
	for kind, s := range map[string]any{
		"ownership": &v1alpha1.Ownership{SameAs: "v1", Forbidden: managers("hand")},
		"readinessOrder": &v1alpha1.ReadinessOrder{Chain: []string{
			"Deployment/d0", "Deployment/d1", "Deployment/d2", "Deployment/d3", "Deployment/d4",
		}},
		"ledger":       &v1alpha1.Ledger{},
		"live":         &v1alpha1.Live{Strict: true},
		"recoveryTime": &v1alpha1.RecoveryTime{Of: "back", Max: metav1.Duration{Duration: time.Hour}},
		"object":       &v1alpha1.ObjectMatch{Object: "Deployment/d7", Match: map[string]any{"spec": map[string]any{"replicas": 9}}},
		"events":       &v1alpha1.Events{Max: new(int)},
	} {
		spec.Assert = append(spec.Assert, v1alpha1.Assertion{Do: v1alpha1.Choice{Kind: kind, Spec: s}})
	}
	var bundle *evidence.Bundle
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			loaded, err := evidence.Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			bundle = loaded
		}
	})
	b.Run("judge", func(b *testing.B) {
		for b.Loop() {
			for _, v := range assert.Judge(bundle, spec) {
				if v.Status == inconclusive {
					b.Fatal(v.Message)
				}
			}
		}
	})
}
