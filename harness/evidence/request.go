package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

// Request is one request of Helm to the API server, recorded when it is over. What a write wanted to write is the line of
// requests.jsonl with the event's Seq.
type Request struct {
	// Number counts a variant's requests from 1, in the order in which they came.
	Number int64 `json:"number"`
	// Verb is the API server's, such as patch or watch; of a path that is no object's it is the HTTP method.
	Verb        string `json:"verb"`
	Group       string `json:"group,omitempty"`
	Version     string `json:"version,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name,omitempty"`
	// Path is set if the request is about no resource.
	Path string `json:"path,omitempty"`
	// Manager is the field manager that the request states, UserAgent what the API server goes by if it states none.
	Manager   string `json:"manager,omitempty"`
	UserAgent string `json:"userAgent,omitempty"`
	Force     bool   `json:"force,omitempty"`
	DryRun    bool   `json:"dryRun,omitempty"`
	// PatchType is the patch's media type, without "application/" and "+json": apply-patch+yaml is server-side apply.
	PatchType string `json:"patchType,omitempty"`
	// Began is when it came, on the bundle's clock; Took is how long it was until the last byte of its answer went back.
	Began time.Duration `json:"beganNs"`
	Took  time.Duration `json:"tookNs"`
	// Status is the HTTP status that Helm got; 0 if it got none.
	Status int `json:"status,omitempty"`
	// Served is the API server's own status, where Helm got another one or none.
	Served int `json:"served,omitempty"`
	// Message is that of a refusal.
	Message string `json:"message,omitempty"`
	// Error says why Helm got no whole answer.
	Error         string `json:"error,omitempty"`
	RequestBytes  int64  `json:"requestBytes,omitempty"`
	ResponseBytes int64  `json:"responseBytes,omitempty"`
	// Faults names the faults that did something to it.
	Faults []string `json:"faults,omitempty"`
	// Body is set if requests.jsonl has what it wanted to write. BodyLost says why it has not.
	Body     bool   `json:"body,omitempty"`
	BodyLost string `json:"bodyLost,omitempty"`
}

// Writes reports whether the request was to change something, and was no dry run.
func (q Request) Writes() bool {
	switch q.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return q.Resource != "" && !q.DryRun
	}
	return false
}

// String is verb, resource and name, as in "patch deployments/backend", or verb and path.
func (q Request) String() string {
	text := q.Verb + " " + q.Resource + q.Path
	if q.Name != "" {
		text += "/" + q.Name
	}
	if q.Subresource != "" {
		text += " (" + q.Subresource + ")"
	}
	return text
}

// Step is the step under way; empty if none is.
func (r *Recorder) Step() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.step
}

// Request records a request that came in a step, and what it wanted to write, if that is not empty: an event, and the
// body in requests.jsonl, as JSON if it is that.
func (r *Recorder) Request(q Request, step string, body []byte) int64 {
	var raw []byte
	if len(body) > 0 {
		q.Body = true
		raw = r.redact.body(body, q.Resource)
	}
	e := r.redact.event(Event{Request: &q})
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0
	}
	if raw != nil {
		r.writeLine(r.requests, fmt.Appendf(nil, `{"seq":%d,"body":%s}`, r.seq+1, raw))
	}
	return r.appendIn(step, e)
}

// body returns a redacted body as JSON. A body that cannot be read is hashed as a whole if it is of a resource that may
// hold secrets.
func (r *Redactor) body(body []byte, resource string) []byte {
	var parsed any
	if err := kjson.Unmarshal(body, &parsed); err != nil {
		text := r.Text(string(body))
		if resource == "secrets" || resource == "configmaps" || bytes.ContainsRune(body, 0) {
			text = r.hash(body)
		}
		raw, _ := json.Marshal(strings.ToValidUTF8(text, "?")) // a string always encodes
		return raw
	}
	r.learn(parsed)
	clean := r.bodyValue(parsed, resource)
	raw, err := json.Marshal(clean)
	if err != nil { // cannot be: it came from JSON
		raw, _ = json.Marshal(r.hash(body))
	}
	return raw
}

// bodyValue redacts a body. Of a Secret, a merge patch does not say that it is one, and a JSON patch is a list of changes.
func (r *Redactor) bodyValue(parsed any, resource string) any {
	if resource != "secrets" {
		clean, _ := r.value(parsed)
		return clean
	}
	switch parsed := parsed.(type) {
	case map[string]any:
		kind, stated := parsed["kind"]
		parsed["kind"] = "Secret"
		r.learn(parsed)
		clean := r.Object(parsed)
		if stated {
			clean["kind"] = kind
		} else {
			delete(clean, "kind")
		}
		return clean
	case []any:
		for i, item := range parsed {
			parsed[i] = r.secretChange(item)
		}
		return parsed
	}
	return r.hash(fmt.Append(nil, parsed))
}

// secretChange redacts one change of a JSON patch of a Secret.
func (r *Redactor) secretChange(item any) any {
	change, ok := item.(map[string]any)
	if !ok || change["value"] == nil {
		return item
	}
	path, _ := change["path"].(string)
	field, key, inside := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	change = maps.Clone(change)
	switch values, whole := change["value"].(map[string]any); {
	case field != "data" && field != "stringData":
		change["value"] = r.bodyValue(change["value"], "secrets")
	case whole && !inside:
		change["value"] = r.secretFields(field, values)
	default:
		change["value"] = r.secretFields(field, map[string]any{key: change["value"]})[key]
	}
	return change
}

// secretFields takes note of a Secret's values, and hides them.
func (r *Redactor) secretFields(field string, values map[string]any) map[string]any {
	r.learnSecret(map[string]any{field: values})
	return r.secretData(field, values)
}

// Body is what the request of the event seq wanted to write: an object, a list of changes, or a text. The error is
// ErrNoBody if the bundle has none.
func (b *Bundle) Body(seq int64) (any, error) {
	b.requestsOnce.Do(func() { b.requests, b.requestsErr = b.indexOf(RequestsFile, "body") })
	if b.requestsErr != nil {
		return nil, b.requestsErr
	}
	at, ok := b.requests[seq]
	if !ok {
		return nil, fmt.Errorf("%w: seq %d", ErrNoBody, seq)
	}
	var line struct {
		Body any `json:"body"`
	}
	if err := b.readLine(RequestsFile, at, &line); err != nil {
		return nil, fmt.Errorf("read the body of request %d: %w", seq, err)
	}
	return line.Body, nil
}
