package kind

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// ConfigVersion and configKind are what a config file says of itself.
const (
	ConfigVersion = "kind.x-k8s.io/v1alpha4"
	configKind    = "Cluster"
)

// ConfigError is all that is wrong with a kind config. It wraps ErrConfig.
type ConfigError struct {
	// Source names the config: its file, as a rule.
	Source string
	// Problems are the mistakes, by place. A config that has no places of its own leaves their lines 0.
	Problems []strictyaml.Problem
}

// Error is one line for each mistake.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.Place(p)
	}
	return fmt.Sprintf("%s: %s", ErrConfig, strings.Join(lines, "\n"))
}

// Unwrap is ErrConfig.
func (e *ConfigError) Unwrap() error { return ErrConfig }

// Place is one of the mistakes as source:line:column: path: message.
func (e *ConfigError) Place(p strictyaml.Problem) string {
	text := e.Source + ": "
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d:%d: ", e.Source, p.Line, p.Column)
	}
	if p.Path != "" {
		text += p.Path + ": "
	}
	return text + p.Message
}

// ReadConfig reads a kind config from a file. What is wrong with it is a ConfigError.
func ReadConfig(path string) (*v1alpha4.Cluster, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the kind config: %w", err)
	}
	return ParseConfig(raw, path)
}

// ConfigOf reads a kind config that stands in another document, which source says the place of.
func ConfigOf(content map[string]any, source string) (*v1alpha4.Cluster, error) {
	raw, err := yaml.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	config, err := ParseConfig(raw, source)
	var wrong *ConfigError
	if errors.As(err, &wrong) {
		for i := range wrong.Problems { // places in a text that nobody has seen
			wrong.Problems[i].Position = strictyaml.Position{}
		}
	}
	return config, err
}

// ParseConfig reads a kind config of version v1alpha4, which it need not say of itself. Unknown fields are mistakes, and
// so are values that kind would refuse while it makes the cluster. What is wrong is a ConfigError; source names the
// config there.
func ParseConfig(raw []byte, source string) (*v1alpha4.Cluster, error) {
	config, err := decodeConfig(raw)
	// kind's own decoding decides what is accepted; this one is stricter, and knows the places.
	read := strictyaml.Decode(raw, &v1alpha4.Cluster{}, nil)
	problems := checkConfig(config, read)
	switch {
	case err == nil:
	case len(read.Problems) > 0:
		problems = append(problems, read.Problems...)
	default:
		problems = append(problems, placed(err))
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b strictyaml.Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &ConfigError{Source: source, Problems: problems}
	}
	return config, nil
}

// decodeConfig decodes a config as kind does. With an error it returns what could be read.
func decodeConfig(raw []byte) (*v1alpha4.Cluster, error) {
	config := &v1alpha4.Cluster{}
	decoder := yaml3.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(config); err != nil && !errors.Is(err, io.EOF) {
		return config, err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return config, errors.New("holds more than one document")
	}
	return config, nil
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// placed is an error of the YAML decoder at the line that it names.
func placed(err error) strictyaml.Problem {
	p := strictyaml.Problem{Position: strictyaml.Position{Line: 1, Column: 1}, Message: err.Error()}
	if m := yamlLine.FindStringSubmatch(p.Message); m != nil {
		p.Line, _ = strconv.Atoi(m[1]) // only digits were found
	}
	return p
}

// checkConfig finds values that kind would refuse, of those that can be told by themselves.
func checkConfig(c *v1alpha4.Cluster, read *strictyaml.Result) []strictyaml.Problem {
	var problems []strictyaml.Problem
	report := func(path string, err error) {
		if err != nil {
			problems = append(problems, strictyaml.Problem{Position: read.At(path), Path: path, Message: err.Error()})
		}
	}
	report("apiVersion", oneOf(c.APIVersion, ConfigVersion))
	report("kind", oneOf(c.Kind, configKind))
	for i, n := range c.Nodes {
		report(fmt.Sprintf("nodes[%d].role", i), oneOf(n.Role, v1alpha4.ControlPlaneRole, v1alpha4.WorkerRole))
	}
	report("networking.ipFamily", oneOf(c.Networking.IPFamily, v1alpha4.IPv4Family, v1alpha4.IPv6Family, v1alpha4.DualStackFamily))
	report("networking.kubeProxyMode", oneOf(c.Networking.KubeProxyMode,
		v1alpha4.IPTablesProxyMode, v1alpha4.IPVSProxyMode, v1alpha4.NFTablesProxyMode, v1alpha4.ProxyMode("none")))
	report("networking.podSubnet", subnets(c.Networking.PodSubnet))
	report("networking.serviceSubnet", subnets(c.Networking.ServiceSubnet))
	return problems
}

// oneOf says that a value is none of those known, unless it is empty and so kind's default.
func oneOf[T ~string](value T, known ...T) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	var names []string
	for _, k := range known {
		names = append(names, string(k))
	}
	if len(names) == 1 {
		return fmt.Errorf("is %q and must be %s", value, names[0])
	}
	return fmt.Errorf("%q is none of %s%s", value, strings.Join(names, ", "), near(string(value), names))
}

// near is a hint at the nearest name, if there is a near one.
func near(value string, names []string) string {
	hint := registry.Hint(value, names)
	if strings.HasPrefix(hint, " (known: ") { // said already
		return ""
	}
	return hint
}

// subnets says which of the subnets in a list is none.
func subnets(list string) error {
	if list == "" {
		return nil
	}
	for _, one := range strings.Split(list, ",") {
		if _, _, err := net.ParseCIDR(one); err != nil {
			return fmt.Errorf("%q is no subnet such as 10.10.0.0/16", one)
		}
	}
	return nil
}
