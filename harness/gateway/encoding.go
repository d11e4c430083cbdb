package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/client-go/kubernetes/scheme"
)

// plainBody is a body as JSON. Helm's client for its own records speaks protobuf.
func plainBody(r *http.Request, body []byte) ([]byte, error) {
	if !strings.Contains(r.Header.Get("Content-Type"), "protobuf") {
		return body, nil
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("decoding protobuf: %w", err)
	}
	plain, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encoding as JSON what was protobuf: %w", err)
	}
	return plain, nil
}

// askForJSON leaves JSON alone among what a client accepts, so that the answer can be changed.
func askForJSON(header http.Header) {
	var left []string
	for _, kind := range strings.Split(header.Get("Accept"), ",") {
		if !strings.Contains(kind, "protobuf") && !strings.Contains(kind, "cbor") {
			left = append(left, kind)
		}
	}
	if len(left) == 0 {
		left = []string{"application/json"}
	}
	header.Set("Accept", strings.Join(left, ","))
}
