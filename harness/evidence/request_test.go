package evidence_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rehearse.dev/rehearse/harness/evidence"
)

func TestRequestRoundTrip(t *testing.T) {
	t.Parallel()
	r, dir := create(t)
	r.SetStep("back")
	q := evidence.Request{
		Number: 1, Verb: "patch", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "ns", Name: "web",
		Manager: "helm", Force: true, Status: 409, Message: "conflict", Faults: []string{"busy"},
	}
	// It came in an earlier step than the one in which it ended.
	seq := r.Request(q, "v1", []byte(`{"kind":"Deployment","spec":{"replicas":3}}`))
	bare := r.Request(evidence.Request{Number: 2, Verb: "get", Path: "/version"}, "back", nil)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if late := r.Request(q, "v1", nil); late != 0 {
		t.Errorf("after the end it is recorded as %d", late)
	}

	b, err := evidence.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	q.Body = true
	if diff := cmp.Diff(&q, b.Timeline[seq-1].Request); diff != "" {
		t.Error(diff)
	}
	if b.Timeline[seq-1].Step != "v1" || b.Timeline[bare-1].Step != "back" {
		t.Errorf("steps: %+v", b.Timeline)
	}
	body, err := b.Body(seq)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"kind": "Deployment", "spec": map[string]any{"replicas": int64(3)}}, body); diff != "" {
		t.Error(diff)
	}
	if _, err := b.Body(bare); !errors.Is(err, evidence.ErrNoBody) {
		t.Errorf("the body of none: %v", err)
	}
}

// TestRequestWrites: which requests are to change something, and how each reads.
func TestRequestWrites(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request evidence.Request
		want    bool
		text    string
	}{
		{evidence.Request{Verb: "patch", Resource: "deployments", Name: "backend"}, true, "patch deployments/backend"},
		{evidence.Request{Verb: "patch", Resource: "deployments", Name: "backend", DryRun: true}, false, "patch deployments/backend"},
		{evidence.Request{Verb: "update", Resource: "deployments", Subresource: "scale", Name: "backend"}, true, "update deployments/backend (scale)"},
		{evidence.Request{Verb: "create", Resource: "secrets"}, true, "create secrets"},
		{evidence.Request{Verb: "deletecollection", Resource: "pods"}, true, "deletecollection pods"},
		{evidence.Request{Verb: "list", Resource: "pods"}, false, "list pods"},
		{evidence.Request{Verb: "watch", Resource: "pods"}, false, "watch pods"},
		{evidence.Request{Verb: "delete", Path: "/logs"}, false, "delete /logs"},
	} {
		if got := test.request.Writes(); got != test.want {
			t.Errorf("%s: writes is %v, want %v", test.text, got, test.want)
		}
		if got := test.request.String(); got != test.text {
			t.Errorf("it reads %q, want %q", got, test.text)
		}
	}
}

// TestRequestSecrets: no value of a Secret is in the evidence, whatever kind of body carries it, and equal ones stay equal.
func TestRequestSecrets(t *testing.T) {
	t.Parallel()
	const value = "correct-horse-battery"
	encoded := base64.StdEncoding.EncodeToString([]byte(value))
	for name, body := range map[string]string{
		"apply":            `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"password":"` + encoded + `"}}`,
		"merge patch":      `{"data":{"password":"` + encoded + `"}}`,
		"text":             `{"stringData":{"password":"` + value + `"}}`,
		"json patch":       `[{"op":"replace","path":"/data/password","value":"` + encoded + `"}]`,
		"json patch, all":  `[{"op":"add","path":"/data","value":{"password":"` + encoded + `"}}]`,
		"json patch, root": `[{"op":"replace","path":"","value":{"data":{"password":"` + encoded + `"}}}]`,
		"no JSON":          "k8s\x00" + value,
		"broken":           `{"data":{"password":"` + encoded,
		"a bare text":      `"` + value + `"`,
		"release record":   `{"kind":"Secret","type":"helm.sh/release.v1","metadata":{"name":"sh.helm.release.v1.s.v1"},"data":{"release":"` + encoded + `"}}`,
	} {
		r, dir := create(t)
		seq := r.Request(evidence.Request{Verb: "patch", Resource: "secrets", Name: "s", Message: value}, "v1", []byte(body))
		b, err := evidence.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Body(seq); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, evidence.RequestsFile))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), value) || strings.Contains(string(text), encoded) || !strings.Contains(string(text), evidence.RedactedPrefix) {
			t.Errorf("%s: %s", name, text)
		}
		known := !strings.Contains("no JSON, broken, a bare text, release record", name)
		if message := b.Timeline[seq-1].Request.Message; known && strings.Contains(message, value) {
			t.Errorf("%s: the message still says %q", name, message)
		}
	}
}
