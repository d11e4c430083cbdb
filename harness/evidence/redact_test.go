package evidence_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
)

const (
	password = "tr0ub4dor&3 <x>"
	pem      = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END KEY-----\n"
)

func secret(field string, values map[string]any) map[string]any {
	return object("Secret", "creds", map[string]any{field: values})
}

// TestNoSecretIsWritten records secret values in every way they can come along and then looks for them in all files.
func TestNoSecretIsWritten(t *testing.T) {
	t.Parallel()
	r, dir := create(t)
	lastApplied := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"creds"},"stringData":{"p":"only-in-annotation"}}`
	live := secret("data", map[string]any{"p": b64(password), "key": b64(pem), "short": b64("abc12"), "quote": b64("it's a secret"), "pin": b64("482913"), "nl": b64("ends-in-newline\n")})
	live["metadata"].(map[string]any)["annotations"] = map[string]any{
		"kubectl.kubernetes.io/last-applied-configuration": lastApplied, "note": password,
	}
	// This is written before the value is known to be secret.
	if err := r.WriteFile("early.json", map[string]any{"values": map[string]any{"password": password, "n": 1 << 60}}); err != nil {
		t.Fatal(err)
	}
	before := mustJSON(t, live)
	r.Object(evidence.ObjectVersion{}, live)
	if after := mustJSON(t, live); after != before {
		t.Errorf("the object was modified: %s", after)
	}
	r.Object(evidence.ObjectVersion{}, object("ConfigMap", "c", map[string]any{"data": map[string]any{
		"plain": "x=" + password, "encoded": b64(password), "json": mustJSON(t, map[string]any{"a": password}),
		"single": "p: 'it''s a secret'", "url": "https://u:" + url.QueryEscape(password) + "@host", "trimmed": "=ends-in-newline=",
		"yaml": "key: |\n  " + strings.ReplaceAll(pem, "\n", "\n  "), "annotated": "only-in-annotation",
	}}))
	r.Object(evidence.ObjectVersion{}, object("Secret", "sh.helm.release.v1.shop.v1", map[string]any{
		"type": "helm.sh/release.v1", "data": map[string]any{"release": b64("the whole release record")},
	}))
	cm := object("ConfigMap", "sh.helm.release.v1.shop.v1", map[string]any{"data": map[string]any{"release": "the whole release record"}})
	cm["metadata"].(map[string]any)["labels"] = map[string]any{"owner": "helm"}
	r.Object(evidence.ObjectVersion{}, cm)
	r.Object(evidence.ObjectVersion{}, object("List", "l", map[string]any{"items": []any{secret("stringData", map[string]any{"p": "in-a-list"})}}))
	for _, e := range []evidence.Event{
		{Finished: &evidence.StepFinished{Error: password, Mismatch: "in-a-list"}},
		{Transition: &evidence.Transition{Message: password}},
		{KubeEvent: &evidence.KubeEvent{Message: password}},
		{Write: &evidence.ActorWrite{Error: password}},
		{Gap: &evidence.Gap{Reason: password}},
		{Restart: &evidence.Restart{Reason: password}},
	} {
		r.Record(e)
	}
	snap := evidence.Snapshot{
		Step: "v1", Incomplete: []string{"in-a-manifest"}, Objects: []map[string]any{object("ConfigMap", "c", map[string]any{"data": map[string]any{"k": "in-a-manifest"}})},
		Ledger: evidence.Ledger{
			Unreadable: map[string]string{"r": "in-a-manifest"},
			Revisions:  []evidence.Revision{{Description: "in-a-manifest", Manifest: []map[string]any{secret("stringData", map[string]any{"p": "in-a-manifest"})}}},
		},
	}
	if err := r.Snapshot(snap); err != nil {
		t.Fatal(err)
	}
	if snap.Incomplete[0] != "in-a-manifest" || snap.Ledger.Unreadable["r"] != "in-a-manifest" {
		t.Error("the snapshot was modified")
	}
	if err := r.WriteFile("plan.json", map[string]any{"values": map[string]any{"password": password, "pin": 482913, "n": 1}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{evidence.VariantFile, evidence.TimelineFile, evidence.ObjectsFile, evidence.SnapshotsFile, "plan.json", "early.json"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, leak := range []string{
			"tr0ub4dor", b64(password)[:12], "MIIEvQ", b64(pem)[:24], b64("abc12"), "only-in-annotation", "whole release record",
			b64("the whole release record"), "in-a-list", "in-a-manifest", "s a secret", "ends-in-newline", "482913",
		} {
			if strings.Contains(string(data), leak) {
				t.Errorf("%s holds %q:\n%s", file, leak, data)
			}
		}
	}
}

func TestEqualSecretsStayComparable(t *testing.T) {
	t.Parallel()
	red, err := evidence.NewRedactor()
	if err != nil {
		t.Fatal(err)
	}
	value := func(r *evidence.Redactor, o map[string]any, field string) any {
		return r.Object(o)[field].(map[string]any)["p"]
	}
	data := value(red, secret("data", map[string]any{"p": b64("hunter22")}), "data")
	text := value(red, secret("stringData", map[string]any{"p": "hunter22"}), "stringData")
	config := value(red, object("ConfigMap", "c", map[string]any{"data": map[string]any{"p": "hunter22"}}), "data")
	encoded := value(red, object("ConfigMap", "c", map[string]any{"data": map[string]any{"p": b64("hunter2") + "x"}}), "data")
	if data != text || data != config || !strings.HasPrefix(data.(string), evidence.RedactedPrefix) || len(data.(string)) != len(evidence.RedactedPrefix)+16 {
		t.Errorf("data %v, stringData %v, ConfigMap %v", data, text, config)
	}
	if encoded != b64("hunter2")+"x" {
		t.Errorf("a value that is no secret became %v", encoded)
	}
	if other := value(red, secret("data", map[string]any{"p": b64("hunter23")}), "data"); other == data {
		t.Error("different values hash equal")
	}
	second, err := evidence.NewRedactor()
	if err != nil {
		t.Fatal(err)
	}
	if again := value(second, secret("data", map[string]any{"p": b64("hunter22")}), "data"); again == data {
		t.Error("two runs hash equal: there is no key")
	}
}

// TestNumbers: a chart may take a number for a value and quote it in a Secret.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		secrets map[string]any
		// names are names of objects seen before.
		names  []string
		number any
		hidden bool
	}{
		{name: "nothing known", number: int64(482913)},
		{name: "integer", secrets: map[string]any{"pin": "482913"}, number: int64(482913), hidden: true},
		{name: "not quoted", secrets: map[string]any{"pin": int64(482913)}, number: int64(482913), hidden: true},
		{name: "float", secrets: map[string]any{"pin": "482913"}, number: 482913.0, hidden: true},
		{name: "fraction", secrets: map[string]any{"pin": "482.913"}, number: 482.913, hidden: true},
		{name: "as Helm prints large ones", secrets: map[string]any{"pin": "1.234567e+06"}, number: int64(1234567), hidden: true},
		{name: "as JSON states it", secrets: map[string]any{"pin": "482913"}, number: json.Number("482913"), hidden: true},
		{name: "negative", secrets: map[string]any{"pin": "-48291"}, number: int64(-48291), hidden: true},
		{name: "another number", secrets: map[string]any{"pin": "482913"}, number: int64(4829130)},
		{name: "too short to be looked for", secrets: map[string]any{"port": "8080"}, number: int64(8080)},
		{name: "a name", secrets: map[string]any{"pin": "482913"}, names: []string{"shop-482913"}, number: int64(482913)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			red, err := evidence.NewRedactor()
			if err != nil {
				t.Fatal(err)
			}
			red.Learn(secret("stringData", tc.secrets))
			for _, name := range tc.names {
				red.Learn(object("StatefulSet", name, nil))
			}
			got := red.Object(map[string]any{"values": []any{tc.number}})["values"].([]any)[0]
			text, isText := got.(string)
			if hidden := isText && strings.HasPrefix(text, evidence.RedactedPrefix); hidden != tc.hidden {
				t.Errorf("%T %v became %T %v", tc.number, tc.number, got, got)
			}
			if !tc.hidden && got != tc.number {
				t.Errorf("%v became %v", tc.number, got)
			}
		})
	}
}

// TestSecretSeed: the bundle can be read although a secret is the seed too.
func TestSecretSeed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "bundle")
	r, err := evidence.Create(dir, evidence.Variant{Scenario: "s", Seed: 482913})
	if err != nil {
		t.Fatal(err)
	}
	r.Object(evidence.ObjectVersion{}, secret("stringData", map[string]any{"pin": "482913"}))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.Variant.Seed != 482913 {
		t.Errorf("the seed became %d", b.Variant.Seed)
	}
}

func TestRedactorText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		secrets map[string]any
		// names are names of objects seen before.
		names    []string
		in, want string
	}{
		{name: "nothing known", in: "hunter22", want: "hunter22"},
		{name: "too short to be looked for", secrets: map[string]any{"a": "admin"}, in: "admin said", want: "admin said"},
		{name: "longest first", secrets: map[string]any{"a": "hunter", "b": "hunter22"}, in: "hunter22", want: "H"},
		{name: "several", secrets: map[string]any{"a": "hunter", "b": "correct horse"}, in: "hunter, correct horse", want: "H, H"},
		{name: "a word of a name is no secret", secrets: map[string]any{"u": "postgres"}, names: []string{"shop-postgres"}, in: "postgres:16", want: "postgres:16"},
		{name: "but others are", secrets: map[string]any{"u": "postgres"}, names: []string{"shop-postgresql"}, in: "postgres:16", want: "H:16"},
		{name: "empty value", secrets: map[string]any{"u": ""}, in: "anything", want: "anything"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			red, err := evidence.NewRedactor()
			if err != nil {
				t.Fatal(err)
			}
			hashes := red.Object(secret("stringData", tc.secrets))["stringData"].(map[string]any)
			for _, name := range tc.names {
				red.Learn(object("StatefulSet", name, nil))
			}
			got := red.Text(tc.in)
			for h := range maps.Values(hashes) {
				if h != "" && strings.HasPrefix(h.(string), evidence.RedactedPrefix) {
					got = strings.ReplaceAll(got, h.(string), "H")
				}
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestRedactionKeepsWhatIdentifies: evidence must stay readable even if a secret value is a name.
func TestRedactionKeepsWhatIdentifies(t *testing.T) {
	t.Parallel()
	red, err := evidence.NewRedactor()
	if err != nil {
		t.Fatal(err)
	}
	red.Learn(secret("stringData", map[string]any{"a": "Deployment", "b": "backend", "c": "field-manager", "d": "group-one", "e": "registry.example.com"}))
	o := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "spec": map[string]any{"replicas": int64(1), "none": nil, "image": "registry.example.com/group-two:1"},
		"metadata": map[string]any{
			"name": "backend", "managedFields": []any{map[string]any{"manager": "field-manager"}},
			"annotations": map[string]any{"helm.sh/resource-group": "group-one"},
		},
	}
	if diff := cmp.Diff(o, red.Object(o)); diff != "" {
		t.Error(diff)
	}
	// A word of an image is no secret elsewhere either.
	red.Learn(secret("stringData", map[string]any{"user": "example"}))
	if got := red.Text("example said"); got != "example said" {
		t.Error(got)
	}
}

func TestOddSecrets(t *testing.T) {
	t.Parallel()
	red, err := evidence.NewRedactor()
	if err != nil {
		t.Fatal(err)
	}
	odd := secret("data", map[string]any{"list": []any{"hunter22"}, "null": nil, "bad": "not base64!", "done": evidence.RedactedPrefix + "0"})
	odd["metadata"].(map[string]any)["annotations"] = map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "{cut off hunter22"}
	out := mustJSON(t, red.Object(odd))
	for _, leak := range []string{"hunter22", "not base64"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q is in %s", leak, out)
		}
	}
	if !strings.Contains(out, `"null":null`) || !strings.Contains(out, `"done":"redacted:sha256:0"`) {
		t.Errorf("%s", out)
	}
	if red.Object(nil) != nil {
		t.Error("nothing became something")
	}
}

func BenchmarkRecordObject(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "bundle")
	r, err := evidence.Create(dir, evidence.Variant{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for i := range 20 {
		r.Object(evidence.ObjectVersion{}, secret("stringData", map[string]any{"p": strings.Repeat("secret", i+1)}))
	}
	items := map[string]any{}
	for _, k := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		items[k] = map[string]any{"image": "registry.example.com/app:1." + k, "ports": []any{map[string]any{"containerPort": int64(80)}}}
	}
	obj := object("Deployment", "backend", map[string]any{"spec": items})
	b.ReportAllocs()
	for b.Loop() {
		r.Object(evidence.ObjectVersion{}, obj)
	}
}
