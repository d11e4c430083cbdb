package fault

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

const (
	// recordType is the type of the Secrets that Helm keeps releases in, recordPrefix the start of their names.
	recordType   = "helm.sh/release.v1"
	recordPrefix = "sh.helm.release.v1."
	// recordKey is where a record is in its Secret.
	recordKey = "release"
	// maxUnpacked bounds a record's size once unpacked.
	maxUnpacked = 256 << 20
)

// unpack turns a stored record into JSON: it is base64 of gzip of JSON.
func unpack(packed []byte) ([]byte, error) {
	zipped, err := base64.StdEncoding.DecodeString(string(packed))
	if err != nil {
		return nil, fmt.Errorf("the record is not base64: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, fmt.Errorf("the record is not gzip: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxUnpacked))
	if err != nil {
		return nil, fmt.Errorf("the record is not gzip: %w", err)
	}
	return text, nil
}

func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression) // Helm's own
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return encode(b.Bytes()), nil
}

func encode(data []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(data)) }

// spoil makes of a record what it is to become.
func spoil(packed []byte, becomes string) ([]byte, error) {
	text, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	switch becomes {
	case "badBase64":
		return append([]byte("!"), packed...), nil
	case "badGzip": // the magic bytes are there, what follows breaks off
		zipped, err := base64.StdEncoding.DecodeString(string(packed))
		if err != nil {
			return nil, err
		}
		return encode(zipped[:len(zipped)/2]), nil
	case "badJSON":
		return pack(text[:len(text)/2])
	case "tooLarge":
		return fill(text)
	}
	return nil, fmt.Errorf("a record cannot become %q", becomes)
}

// noise are characters for notes that hardly compress. One in eight is one that JSON may hold as it is, and that Helm's
// encoder writes in six characters: so a record that just fits is too large as soon as Helm writes it again.
const noise = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV<<<<>>>>"

// fill makes a record as large as a Secret may be, by its notes, which a rollback copies.
func fill(text []byte) ([]byte, error) {
	before, after, err := aroundNotes(text)
	if err != nil {
		return nil, err
	}
	source := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in every run, and no secret
	with := func(n int) ([]byte, error) {
		all := slices.Grow(slices.Clone(before), n+len(after))
		for range n {
			all = append(all, noise[source.IntN(len(noise))])
		}
		return pack(append(all, after...))
	}
	bare, err := with(0)
	if err != nil {
		return nil, err
	}
	const sample = 1 << 18
	tried, err := with(sample)
	if err != nil {
		return nil, err
	}
	// What notes take, packed, is nearly proportional to their length.
	room := corev1.MaxSecretSize - len(bare)
	for n := int(float64(room) / float64(len(tried)-len(bare)) * sample); n > 0; n -= 256 {
		packed, err := with(n)
		if err != nil || len(packed) <= corev1.MaxSecretSize {
			return packed, err
		}
	}
	return nil, errors.New("it is too large already to be filled up")
}

// aroundNotes is what comes before the text of a record's notes, and after it. All else is as Helm wrote it, so that it
// takes what it took.
func aroundNotes(text []byte) (before, after []byte, err error) {
	var record, info map[string]json.RawMessage
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if err := json.Unmarshal(record["info"], &info); err != nil {
		return nil, nil, fmt.Errorf("its info is not JSON: %w", err)
	}
	const key = `"notes":`
	at := bytes.Index(text, record["info"])
	inner := at + len("{")
	if old, ok := info["notes"]; ok {
		inner = at + bytes.Index(record["info"], append([]byte(key), old...))
		after = text[inner+len(key)+len(old):]
	} else {
		after = append([]byte(","), text[inner:]...)
	}
	return append(slices.Clone(text[:inner]), key+`"`...), append([]byte(`"`), after...), nil
}

// hookIn finds the manifest of a hook in a record.
func hookIn(packed []byte, kind, name string) (manifest string, found bool, err error) {
	text, err := unpack(packed)
	if err != nil {
		return "", false, err
	}
	var record struct {
		Hooks []struct{ Kind, Name, Manifest string } `json:"hooks"`
	}
	if err := json.Unmarshal(text, &record); err != nil {
		return "", false, fmt.Errorf("the record is not JSON: %w", err)
	}
	for _, h := range record.Hooks {
		if h.Kind == kind && h.Name == name {
			return h.Manifest, true, nil
		}
	}
	return "", false, nil
}
