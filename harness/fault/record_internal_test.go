package fault

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const plainRecord = `{"name":"r","info":{"last_deployed":"2026-03-14T10:15:02Z","status":"deployed"},"version":1,` +
	`"hooks":[{"name":"migrate","kind":"Job","manifest":"kind: Job\n"}]}`

func packed(t *testing.T, text string) []byte {
	t.Helper()
	data, err := pack([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSpoil: each breakage breaks what it says, and nothing before it.
func TestSpoil(t *testing.T) {
	t.Parallel()
	whole := packed(t, plainRecord)
	for becomes, check := range map[string]func(t *testing.T, data []byte){
		"badBase64": func(t *testing.T, data []byte) {
			if _, err := base64.StdEncoding.DecodeString(string(data)); err == nil {
				t.Error("it is base64")
			}
		},
		"badGzip": func(t *testing.T, data []byte) {
			if plain, err := base64.StdEncoding.DecodeString(string(data)); err != nil || !strings.HasPrefix(string(plain), "\x1f\x8b\x08") {
				t.Errorf("it is no base64 of what begins as gzip: %v", err)
			}
			if _, err := unpack(data); err == nil || !strings.Contains(err.Error(), "not gzip") {
				t.Errorf("unpacked: %v", err)
			}
		},
		"badJSON": func(t *testing.T, data []byte) {
			text, err := unpack(data)
			if err != nil || json.Valid(text) {
				t.Errorf("unpacked to %s, %v", text, err)
			}
		},
	} {
		t.Run(becomes, func(t *testing.T) {
			t.Parallel()
			data, err := spoil(whole, becomes)
			if err != nil {
				t.Fatal(err)
			}
			check(t, data)
		})
	}
	for _, broken := range []string{"!", "aGVsbG8="} {
		if _, err := spoil([]byte(broken), "badJSON"); err == nil {
			t.Errorf("%s was spoilt although it is no record", broken)
		}
	}
	if _, err := spoil(whole, "other"); err == nil {
		t.Error("a record became something unknown")
	}
}

// TestFill: a record that is filled up fits into a Secret, and does not once it is encoded again.
func TestFill(t *testing.T) {
	t.Parallel()
	data, err := spoil(packed(t, plainRecord), "tooLarge")
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > corev1.MaxSecretSize || len(data) < corev1.MaxSecretSize*99/100 {
		t.Errorf("it has %d bytes, and a Secret may have %d", len(data), corev1.MaxSecretSize)
	}
	full, err := unpack(data)
	if err != nil {
		t.Fatal(err)
	}
	var record any
	if err := json.Unmarshal(full, &record); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(packed(t, string(again))); size <= corev1.MaxSecretSize {
		t.Errorf("encoded again it has %d bytes, which fit", size)
	}
}

// TestAroundNotes: notes replace those that are there, and nothing else.
func TestAroundNotes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"none":    {`{"a":1,"info":{"status":"x"},"b":2}`, `{"a":1,"info":{"notes":"NEW","status":"x"},"b":2}`},
		"some":    {`{"info":{"a":1,"notes":"read \"me\"","status":"x"}}`, `{"info":{"a":1,"notes":"NEW","status":"x"}}`},
		"at last": {`{"info":{"status":"x","notes":""}}`, `{"info":{"status":"x","notes":"NEW"}}`},
		"outside": {`{"config":{"notes":"mine"},"info":{"a":1}}`, `{"config":{"notes":"mine"},"info":{"notes":"NEW","a":1}}`},
	} {
		before, after, err := aroundNotes([]byte(test.text))
		if got := string(before) + "NEW" + string(after); got != test.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", name, got, err, test.want)
		}
	}
	for _, text := range []string{`[]`, `{"a":1}`, `{"info":3}`} {
		if _, _, err := aroundNotes([]byte(text)); err == nil {
			t.Errorf("%s was taken for a record", text)
		}
	}
}

func TestHookIn(t *testing.T) {
	t.Parallel()
	whole := packed(t, plainRecord)
	if manifest, found, err := hookIn(whole, "Job", "migrate"); manifest != "kind: Job\n" || !found || err != nil {
		t.Errorf("%q, %t, %v", manifest, found, err)
	}
	if _, found, err := hookIn(whole, "Job", "other"); found || err != nil {
		t.Errorf("a hook that is not there: %t, %v", found, err)
	}
	if _, _, err := hookIn([]byte("!"), "Job", "migrate"); err == nil {
		t.Error("a broken record was read")
	}
}
