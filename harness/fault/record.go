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
	"strings"

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
	at := bytes.Index(text, []byte(`"info":{`))
	if at < 0 {
		return nil, errors.New("the record has no info")
	}
	if bytes.Contains(text, []byte(`"notes":"`)) {
		// A key that is there twice counts as it is there last, so the notes go behind those that are there.
		return nil, errors.New("the record has notes already, and only one without can be filled up")
	}
	at += len(`"info":{`)
	source := rand.New(rand.NewPCG(1, 2)) // the same in every run
	notes := func(n int) []byte {
		var b strings.Builder
		b.Write(text[:at])
		b.WriteString(`"notes":"`)
		for range n {
			b.WriteByte(noise[source.IntN(len(noise))])
		}
		b.WriteString(`",`)
		b.Write(text[at:])
		return []byte(b.String())
	}
	// What notes take, packed, is nearly proportional to their length.
	const sample = 1 << 18
	bare, err := pack(text)
	if err != nil {
		return nil, err
	}
	tried, err := pack(notes(sample))
	if err != nil {
		return nil, err
	}
	room := corev1.MaxSecretSize - len(bare)
	for n := int(float64(room) / float64(len(tried)-len(bare)) * sample); n > 0; n -= 256 {
		packed, err := pack(notes(n))
		if err != nil || len(packed) <= corev1.MaxSecretSize {
			return packed, err
		}
	}
	return nil, errors.New("the record is too large already to be filled up")
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
