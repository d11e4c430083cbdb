package evidence

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

// RedactedPrefix begins every text that stands for a secret value.
const RedactedPrefix = "redacted:sha256:"

// RedactedText finds what stands for secret values in a text.
var RedactedText = regexp.MustCompile(RedactedPrefix + `[0-9a-f]{16}`)

// minLearned is the length from which a secret value is looked for in other strings: shorter ones occur everywhere.
const minLearned = 6

// minLine is the length from which a line of a secret value of several lines is looked for by itself, since YAML
// indents the lines of a text.
const minLine = 20

// Redactor replaces secret values by a keyed hash. Equal values get equal hashes within one run; the key is random and
// never written, so no hash can be tried against guesses. Values are learned as Secrets pass by, and from then on
// replaced wherever they occur verbatim, quoted, as base64 or as a number. It is safe for concurrent use.
//
// Two things are left as they are, or the evidence could not be read: what identifies an object (name, namespace,
// kind, labels, ownerReferences, managedFields) or names an image, and a value that is also such a name or a word of
// one, such as the user name postgres beside a StatefulSet shop-postgres.
type Redactor struct {
	key []byte

	mu sync.RWMutex
	// forms maps each form of each known value to its hash.
	forms map[string]string
	// names holds the strings seen where objects are identified, and the words in them.
	names map[string]bool
	// replacer is built from forms when it is next needed.
	replacer *strings.Replacer
}

// NewRedactor makes a Redactor with a new random key.
func NewRedactor() (*Redactor, error) {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make the key that hides secrets: %w", err)
	}
	return &Redactor{key: key, forms: map[string]string{}, names: map[string]bool{}}, nil
}

// Learn takes note of the values of the Secrets among objects, wherever they are nested. A caller that knows Secrets
// before the cluster does, for example from a rendered chart, thereby hides them from the start.
func (r *Redactor) Learn(objects ...map[string]any) {
	for _, o := range objects {
		r.learn(o)
	}
}

// Object returns a redacted copy of obj, which shares all parts that need no change. It learns from obj first.
func (r *Redactor) Object(obj map[string]any) map[string]any {
	if obj == nil {
		return nil
	}
	r.learn(obj)
	clean, _ := r.mapping(obj)
	return clean
}

// Text returns s with every known secret value replaced.
func (r *Redactor) Text(s string) string {
	if len(s) < minLearned {
		return s
	}
	rep := r.current()
	if rep == nil {
		return s
	}
	return rep.Replace(s)
}

// exactly returns the hash of a text that is a known secret value as a whole.
func (r *Redactor) exactly(s string) (hash string, known bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	hash, known = r.forms[s]
	return hash, known && !r.names[s]
}

// JSON returns v as generic JSON, redacted like an object.
func (r *Redactor) JSON(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var generic any
	if err := kjson.Unmarshal(raw, &generic); err != nil {
		return nil, err
	}
	r.learn(generic)
	clean, _ := r.value(generic)
	return clean, nil
}

// hash is the text that stands for value.
func (r *Redactor) hash(value []byte) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write(value)
	return RedactedPrefix + hex.EncodeToString(mac.Sum(nil)[:8])
}

// remember makes value known in all its forms, and what is left of it without the spaces around it (files often end
// in a newline), and its longer lines.
func (r *Redactor) remember(value []byte) {
	if len(value) < minLearned || strings.HasPrefix(string(value), RedactedPrefix) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.forms[string(value)]; known {
		return
	}
	r.add(value)
	if trimmed := bytes.TrimSpace(value); len(trimmed) >= minLearned {
		r.add(trimmed)
	}
	if !bytes.Contains(value, []byte("\n")) {
		return
	}
	for line := range bytes.Lines(value) {
		line = bytes.TrimSpace(line)
		if len(line) >= minLine && !bytes.HasPrefix(line, []byte("-----")) {
			r.add(line)
		}
	}
}

func (r *Redactor) add(value []byte) {
	hash := r.hash(value)
	for _, form := range formsOf(value) {
		if _, known := r.forms[form]; !known {
			r.forms[form] = hash
		}
	}
	r.replacer = nil
}

// formsOf lists how value may appear within a string: as it is, as base64, quoted in JSON once or twice (as in the
// annotation last-applied-configuration) with or without HTML's characters escaped, quoted in YAML, and in a URL.
func formsOf(value []byte) []string {
	plain := string(value)
	forms := []string{
		plain, strings.ReplaceAll(plain, "'", "''"), url.QueryEscape(plain), url.PathEscape(plain),
		base64.RawStdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value),
	}
	for _, html := range []bool{true, false} {
		once := jsonEscape(plain, html)
		forms = append(forms, once, jsonEscape(once, html))
	}
	return forms
}

func jsonEscape(s string, html bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	if err := enc.Encode(s); err != nil { // cannot be: a string always encodes
		return s
	}
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

// name takes note of a string that identifies something, and of the words in it.
func (r *Redactor) name(s string) {
	if len(s) < minLearned {
		return
	}
	r.mu.RLock()
	known := r.names[s]
	r.mu.RUnlock()
	if known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[s] = true
	words := strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune("-./_:@", c) })
	for _, word := range words {
		r.names[word] = true
	}
	r.replacer = nil
}

// current is the replacer of all that is known; nil if nothing is.
func (r *Redactor) current() *strings.Replacer {
	r.mu.RLock()
	rep, none := r.replacer, len(r.forms) == 0
	r.mu.RUnlock()
	if rep != nil || none {
		return rep
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replacer == nil {
		r.replacer = r.build()
	}
	return r.replacer
}

// build orders longer forms first, so that a value is not cut by another one that it contains.
func (r *Redactor) build() *strings.Replacer {
	forms := make([]string, 0, len(r.forms))
	for form := range r.forms {
		if !r.names[form] {
			forms = append(forms, form)
		}
	}
	slices.SortFunc(forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, r.forms[form])
	}
	return strings.NewReplacer(pairs...)
}
