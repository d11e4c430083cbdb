package release

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// parseManifest returns the objects of a stored or rendered manifest, in its order. Lists are taken apart, as Helm does
// before it applies them; integers stay integers, as in objects that the API server returns. A document that is no
// object is an error, and the objects of the others are returned beside it.
func parseManifest(manifest string) ([]map[string]any, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifest + "\n")))
	var objects []map[string]any
	var errs []error
	for n := 1; ; n++ {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, errors.Join(errs...)
		}
		if err != nil {
			return objects, errors.Join(append(errs, fmt.Errorf("document %d: %w", n, err))...)
		}
		found, err := parseDocument(doc)
		if err != nil {
			errs = append(errs, fmt.Errorf("document %d: %w", n, err))
		}
		objects = append(objects, found...)
	}
}

func parseDocument(doc []byte) ([]map[string]any, error) {
	data, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("it is no mapping: %w", err)
	}
	if len(object) == 0 { // only comments
		return nil, nil
	}
	kind, _ := object["kind"].(string)
	if kind == "" {
		return nil, errors.New("it has no kind")
	}
	items, isList := object["items"].([]any)
	if !isList || !strings.HasSuffix(kind, "List") {
		return []map[string]any{object}, nil
	}
	objects := make([]map[string]any, 0, len(items))
	for i, item := range items {
		o, ok := item.(map[string]any)
		if !ok {
			return objects, fmt.Errorf("items[%d] of %s is no object", i, kind)
		}
		objects = append(objects, o)
	}
	return objects, nil
}
