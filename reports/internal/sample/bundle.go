package sample

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
)

// WriteBundles writes the evidence of the sample run below dir, as a recorder does while a scenario runs.
func WriteBundles(dir string) error {
	errs := []error{
		writeScaler(filepath.Join(dir, FailedDir), scalerLost().Variant),
		writeScaler(filepath.Join(dir, scalerKept().Dir), scalerKept().Variant),
	}
	for _, v := range []string{"clean-rollback", "slow-database", "api-gone"} {
		errs = append(errs, writeShort(filepath.Join(dir, v), v))
	}
	return errors.Join(errs...)
}

// script records events at stated times.
type script struct {
	rec  *evidence.Recorder
	at   time.Duration
	errs []error
}

func newScript(dir string, v evidence.Variant) (*script, error) {
	s := &script{}
	rec, err := evidence.Create(dir, v, evidence.WithClock(func() time.Duration { return s.at }))
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	s.rec = rec
	return s, nil
}

func (s *script) end() error { return errors.Join(append(s.errs, s.rec.Err(), s.rec.Close())...) }

func (s *script) phase(at int, name string, took int) {
	s.at = ms(at)
	s.rec.Record(evidence.Event{Phase: &evidence.Phase{Name: name, Took: ms(took)}})
}

// status records that an object, written as Kind/name, came to be in a kstatus.
func (s *script) status(at int, object, from, to, message string) {
	s.at = ms(at)
	s.rec.Record(evidence.Event{Transition: &evidence.Transition{Ref: refOf(object), From: from, To: to, Message: message, ResourceVersion: "1"}})
}

func (s *script) step(from, to int, name, operation string, finished evidence.StepFinished, during func()) {
	s.at = ms(from)
	s.rec.SetStep(name)
	s.rec.Record(evidence.Event{Started: &evidence.StepStarted{Operation: operation}})
	during()
	s.at = ms(to)
	for _, o := range objectsAfter(name) {
		s.version(o)
	}
	s.errs = append(s.errs, s.rec.Snapshot(evidence.Snapshot{Step: name, At: s.at, Objects: objectsAfter(name), Ledger: ledgerAfter(name)}))
	finished.Operation, finished.Took = operation, ms(to-from)
	s.rec.Record(evidence.Event{Finished: &finished})
	s.rec.SetStep("")
}

func (s *script) version(o map[string]any) {
	meta, _ := o["metadata"].(map[string]any)
	ref := refOf(fmt.Sprintf("%v/%v", o["kind"], meta["name"]))
	s.rec.Object(evidence.ObjectVersion{Ref: ref, Change: evidence.Modified, ResourceVersion: "812", Generation: 3}, o)
}

func writeScaler(dir, variant string) error {
	s, err := newScript(dir, evidence.Variant{
		Scenario: "scaler-survives-rollback", Variant: variant, File: scalerFile, Seed: 42, Release: "shop", Namespace: "shop-1",
		Started: Started(), Versions: Run().Versions, Steps: []string{"v1", "scaled", "v2", "back"},
	})
	if err != nil {
		return err
	}
	s.phase(410, "cluster", 400)
	s.phase(600, "set-up", 180)
	s.step(620, 4930, "v1", "install", evidence.StepFinished{}, s.install)
	s.step(4950, 6190, "scaled", "act", evidence.StepFinished{}, s.scale)
	s.step(6200, 10350, "v2", "upgrade", evidence.StepFinished{Error: "context deadline exceeded"}, s.upgrade)
	s.step(10360, 16390, "back", "rollback", evidence.StepFinished{}, s.rollback)
	s.phase(17200, "clean-up", 700)
	return s.end()
}

func (s *script) install() {
	for _, o := range []string{"ConfigMap/settings", "Service/backend"} {
		s.status(700, o, "NotFound", "Current", "")
	}
	for _, o := range []string{"StatefulSet/db", "Deployment/backend", "Deployment/frontend"} {
		s.status(720, o, "NotFound", "InProgress", "Ready: 0/1")
	}
	s.status(760, "Pod/db-0", "NotFound", "InProgress", "")
	s.ready(760, "held", 2000)
	s.ready(2760, "released", 2000)
	s.status(2790, "Pod/db-0", "InProgress", "Current", "")
	s.status(2810, "StatefulSet/db", "InProgress", "Current", "All replicas scheduled as expected. Replicas: 1")
	s.status(3600, "Deployment/backend", "InProgress", "Current", "")
	s.status(4700, "Deployment/frontend", "InProgress", "Current", "")
}

func (s *script) ready(at int, decision string, after int) {
	s.at = ms(at)
	s.rec.Record(evidence.Event{Readiness: &evidence.Readiness{Pod: refOf("Pod/db-0"), Workload: "StatefulSet/db", Decision: decision, After: ms(after)}})
}

func (s *script) scale() {
	s.at = ms(5010)
	s.rec.Record(evidence.Event{Write: &evidence.ActorWrite{Actor: "hpa", Manager: "hpa", Verb: "scale", Ref: refOf("Deployment/backend")}})
	s.status(5020, "Deployment/backend", "Current", "InProgress", "Available: 2/5")
	s.status(6100, "Deployment/backend", "InProgress", "Current", "")
}

func (s *script) upgrade() {
	s.status(6300, "ConfigMap/extra", "NotFound", "Current", "")
	s.status(6340, "Deployment/backend", "Current", "InProgress", "Updated: 1/5")
	s.at = ms(7200)
	s.rec.Record(evidence.Event{KubeEvent: &evidence.KubeEvent{
		Regarding: refOf("Deployment/backend"), Type: "Warning", Reason: "FailedCreate", Source: "replicaset-controller",
		Message: "pods \"backend-7c9\" is forbidden: exceeded quota: shop, requested: pods=1, used: pods=9, limited: pods=9", Count: 3,
	}})
	s.status(8200, "Deployment/backend", "InProgress", "Failed", "Progress deadline exceeded")
}

func (s *script) rollback() {
	s.at = ms(10612)
	for _, o := range objectsAfter("back") {
		if o["kind"] == "Deployment" {
			s.version(o)
		}
	}
	s.status(10612, "Deployment/backend", "Failed", "InProgress", "Updated: 0/2")
	s.status(10700, "StatefulSet/db", "Current", "InProgress", "")
	s.status(13200, "StatefulSet/db", "InProgress", "Current", "")
	s.status(14800, "Deployment/backend", "InProgress", "Current", "")
	s.status(14900, "Deployment/frontend", "Current", "InProgress", "")
	s.status(16250, "Deployment/frontend", "InProgress", "Current", "")
	s.status(16260, "ConfigMap/extra", "Current", "Terminating", "")
	s.status(16300, "ConfigMap/extra", "Terminating", "NotFound", "")
	s.rec.Request(evidence.Request{
		Number: 1, Verb: "patch", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "shop", Name: "backend", Manager: "helm",
		Force: true, PatchType: "apply-patch+yaml", Began: ms(10600), Took: ms(12), Status: 200, RequestBytes: 1200, ResponseBytes: 3400,
	}, "back", []byte(`{"kind":"Deployment","spec":{"replicas":2}}`))
	s.at = ms(16310)
	s.rec.Record(evidence.Event{Gap: &evidence.Gap{Resource: "events", Reason: "the watch was closed and its resourceVersion is too old"}})
}

// writeShort writes the evidence of a variant of which little is to be said.
func writeShort(dir, scenario string) error {
	s, err := newScript(dir, evidence.Variant{
		Scenario: scenario, Release: "shop", Namespace: "shop-2", Started: Started(), Versions: Run().Versions, Steps: []string{"v1"},
	})
	if err != nil {
		return err
	}
	s.step(300, 2230, "v1", "install", evidence.StepFinished{}, func() {
		s.status(400, "Deployment/backend", "NotFound", "InProgress", "")
		s.status(1800, "Deployment/backend", "InProgress", "Current", "")
	})
	return s.end()
}

func ledgerAfter(step string) evidence.Ledger {
	statuses := map[string][]string{
		"v1": {"deployed"}, "scaled": {"deployed"}, "v2": {"deployed", "failed"}, "back": {"superseded", "failed", "deployed"},
	}[step]
	l := evidence.Ledger{Release: "shop", Namespace: "shop-1"}
	for i, status := range statuses {
		r := evidence.Revision{
			Revision: i + 1, Status: status, ApplyMethod: "ssa", Chart: "shop-1.0.0", AppVersion: "1.0", StorageBytes: 3100 + 40*i,
			Description: []string{"Install complete", "Upgrade \"shop\" failed: context deadline exceeded", "Rollback to 1"}[i],
		}
		for _, name := range []string{"ConfigMap/settings", "Service/backend", "StatefulSet/db", "Deployment/backend", "Deployment/frontend"} {
			ref := refOf(name)
			r.Manifest = append(r.Manifest, object(apiVersionOf(ref), ref.Kind, ref.Name, nil))
		}
		l.Revisions = append(l.Revisions, r)
	}
	if step == "back" {
		l.Unreadable = map[string]string{"sh.helm.release.v1.shop.v9": "illegal base64 data at input byte 4"}
	}
	return l
}
