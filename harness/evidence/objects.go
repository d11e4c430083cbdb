package evidence

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

// value redacts any part of an object. What needs no change is returned as it is, so that the versions of an object
// share it; changed tells whether any was needed.
func (r *Redactor) value(v any) (clean any, changed bool) {
	switch v := v.(type) {
	case string:
		text := r.Text(v)
		return text, text != v
	case map[string]any:
		return r.mapping(v)
	case []any:
		return r.list(v)
	}
	return r.number(v)
}

// number redacts a number that is known as a secret value: a chart may have quoted it in a Secret.
func (r *Redactor) number(v any) (clean any, changed bool) {
	for _, text := range numberTexts(v) {
		if hash, secret := r.exactly(text); secret {
			return hash, true
		}
	}
	return v, false
}

// numberTexts lists how a chart may print a number: in full, and as Go prints a float64, which is what Helm makes of
// numbers in values. It is empty if v is none, or one too short to be looked for.
func numberTexts(v any) []string {
	var full string
	var float float64
	switch v := v.(type) {
	case int64:
		full, float = strconv.FormatInt(v, 10), float64(v)
	case float64:
		full, float = strconv.FormatFloat(v, 'f', -1, 64), v
	case json.Number:
		full = v.String()
		float, _ = v.Float64()
	}
	if len(full) < minLearned {
		return nil
	}
	return []string{full, strconv.FormatFloat(float, 'g', -1, 64)}
}

func (r *Redactor) list(in []any) (clean []any, changed bool) {
	clean = in
	for i, v := range in {
		item, differs := r.value(v)
		if !differs {
			continue
		}
		if !changed {
			clean, changed = slices.Clone(in), true
		}
		clean[i] = item
	}
	return clean, changed
}

func (r *Redactor) mapping(m map[string]any) (clean map[string]any, changed bool) {
	clean = m
	hidden := hiddenFields(m)
	for key, v := range m {
		item, differs := r.field(key, v, hidden)
		if !differs {
			continue
		}
		if !changed {
			clean, changed = maps.Clone(m), true
		}
		clean[key] = item
	}
	return clean, changed
}

// field redacts one field of a map; hidden says that the map's data is secret as a whole.
func (r *Redactor) field(key string, v any, hidden bool) (clean any, changed bool) {
	child, isMap := v.(map[string]any)
	_, isText := v.(string)
	switch {
	case hidden && isMap && (key == "data" || key == "stringData" || key == "binaryData"):
		return r.secretData(key, child), true
	case key == "metadata" && isMap:
		return r.metadata(child, hidden), true
	case isText && (key == "kind" || key == "apiVersion" || key == "image"):
		return v, false
	}
	return r.value(v)
}

// hiddenFields tells whether m's data is secret as a whole: a Secret, or a ConfigMap in which Helm keeps a release.
func hiddenFields(m map[string]any) bool {
	if m["kind"] == "Secret" {
		return true
	}
	if m["kind"] != "ConfigMap" {
		return false
	}
	meta, _ := m["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	data, _ := m["data"].(map[string]any)
	return labels["owner"] == "helm" && data["release"] != nil
}

func (r *Redactor) secretData(field string, data map[string]any) map[string]any {
	out := make(map[string]any, len(data))
	for key, value := range data {
		switch text, ok := value.(string); {
		case value == nil, text == "" && ok, ok && strings.HasPrefix(text, RedactedPrefix):
			out[key] = value
		case ok:
			out[key] = r.hash(plainValue(field, text))
		default: // no legal Secret, but a manifest may hold anything
			raw, _ := json.Marshal(value)
			out[key] = r.hash(raw)
		}
	}
	return out
}

// metadata keeps what identifies the object and who owns its fields.
func (r *Redactor) metadata(meta map[string]any, hidden bool) map[string]any {
	out := maps.Clone(meta)
	if list, ok := meta["finalizers"].([]any); ok {
		out["finalizers"], _ = r.list(list)
	}
	annotations, _ := meta["annotations"].(map[string]any)
	if annotations == nil {
		return out
	}
	clean := make(map[string]any, len(annotations))
	for key, value := range annotations {
		text, _ := value.(string)
		switch {
		case key == lastApplied:
			clean[key] = r.applied(text, hidden)
		case identifies(key):
			clean[key] = value
		default:
			clean[key], _ = r.value(value)
		}
	}
	out["annotations"] = clean
	return out
}

// applied redacts the annotation last-applied-configuration, which holds an object as JSON.
func (r *Redactor) applied(text string, hidden bool) string {
	var object any
	if err := kjson.Unmarshal([]byte(text), &object); err != nil {
		if hidden {
			return r.hash([]byte(text))
		}
		return r.Text(text)
	}
	clean, _ := r.value(object)
	raw, err := json.Marshal(clean)
	if err != nil {
		return r.hash([]byte(text))
	}
	return string(raw)
}

// event returns e with the texts of its payload redacted; what e points to stays as it is.
func (r *Redactor) event(e Event) Event {
	switch {
	case e.Finished != nil:
		c := *e.Finished
		c.Error, c.Mismatch = r.Text(c.Error), r.Text(c.Mismatch)
		e.Finished = &c
	case e.Transition != nil:
		c := *e.Transition
		c.Message = r.Text(c.Message)
		e.Transition = &c
	case e.KubeEvent != nil:
		c := *e.KubeEvent
		c.Message = r.Text(c.Message)
		e.KubeEvent = &c
	case e.Write != nil:
		c := *e.Write
		c.Error = r.Text(c.Error)
		e.Write = &c
	case e.Fault != nil:
		c := *e.Fault
		c.Detail = r.Text(c.Detail)
		e.Fault = &c
	case e.Request != nil:
		c := *e.Request
		c.Message, c.Error, c.Path = r.Text(c.Message), r.Text(c.Error), r.Text(c.Path)
		e.Request = &c
	case e.Restart != nil:
		c := *e.Restart
		c.Reason = r.Text(c.Reason)
		e.Restart = &c
	case e.Gap != nil:
		c := *e.Gap
		c.Reason = r.Text(c.Reason)
		e.Gap = &c
	}
	return e
}

// snapshot returns a redacted copy of s. Everything in it is learned before anything is redacted, so that a value of a
// Secret in the manifest is hidden in the live objects too.
func (r *Redactor) snapshot(s Snapshot) Snapshot {
	r.Learn(s.Objects...)
	for _, rev := range s.Ledger.Revisions {
		r.Learn(rev.Manifest...)
	}
	s.Objects = r.objects(s.Objects)
	s.Incomplete = r.texts(s.Incomplete)
	revisions := make([]Revision, len(s.Ledger.Revisions))
	for i, rev := range s.Ledger.Revisions {
		rev.Manifest = r.objects(rev.Manifest)
		rev.Description = r.Text(rev.Description)
		revisions[i] = rev
	}
	s.Ledger.Revisions = revisions
	unreadable := maps.Clone(s.Ledger.Unreadable)
	for name, reason := range unreadable {
		unreadable[name] = r.Text(reason)
	}
	s.Ledger.Unreadable = unreadable
	return s
}

func (r *Redactor) objects(in []map[string]any) []map[string]any {
	out := make([]map[string]any, len(in))
	for i, o := range in {
		out[i], _ = r.mapping(o)
	}
	return out
}

func (r *Redactor) texts(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = r.Text(s)
	}
	return out
}
