package evidence

import (
	"encoding/base64"
	"strings"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

const (
	lastApplied       = "kubectl.kubernetes.io/last-applied-configuration"
	releaseSecretType = "helm.sh/release.v1"
)

// learn walks v and takes note of the values of Secrets and of the names of objects.
func (r *Redactor) learn(v any) {
	switch v := v.(type) {
	case map[string]any:
		r.learnMap(v)
	case []any:
		for _, item := range v {
			r.learn(item)
		}
	}
}

func (r *Redactor) learnMap(m map[string]any) {
	if m["kind"] == "Secret" {
		r.learnSecret(m)
	}
	for key, value := range m {
		meta, isMap := value.(map[string]any)
		image, isText := value.(string)
		switch {
		case key == "metadata" && isMap:
			r.learnMetadata(meta)
		case key == "image" && isText:
			r.name(image)
		default:
			r.learn(value)
		}
	}
}

func (r *Redactor) learnSecret(m map[string]any) {
	if m["type"] == releaseSecretType {
		return // a whole record is never part of another string
	}
	for _, field := range []string{"data", "stringData"} {
		values, _ := m[field].(map[string]any)
		for _, value := range values {
			if text, ok := value.(string); ok {
				r.remember(plainValue(field, text))
			}
			for _, text := range numberTexts(value) { // a chart forgot to quote it
				r.remember([]byte(text))
			}
		}
	}
}

func (r *Redactor) learnMetadata(meta map[string]any) {
	for _, key := range []string{"name", "namespace", "generateName"} {
		if text, ok := meta[key].(string); ok {
			r.name(text)
		}
	}
	labels, _ := meta["labels"].(map[string]any)
	for _, value := range labels {
		if text, ok := value.(string); ok {
			r.name(text)
		}
	}
	annotations, _ := meta["annotations"].(map[string]any)
	for key, value := range annotations {
		text, _ := value.(string)
		switch {
		case key == lastApplied:
			var applied any
			if kjson.Unmarshal([]byte(text), &applied) == nil {
				r.learn(applied)
			}
		case identifies(key):
			r.name(text)
		}
	}
}

// identifies tells whether an annotation names releases, groups or objects.
func identifies(annotation string) bool {
	for _, prefix := range []string{"meta.helm.sh/", "helm.sh/", "config.kubernetes.io/"} {
		if strings.HasPrefix(annotation, prefix) {
			return true
		}
	}
	return false
}

// plainValue is a Secret's value without its encoding, so that data and stringData hash equal.
func plainValue(field, text string) []byte {
	if field == "data" {
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
			return plain
		}
	}
	return []byte(text)
}
