package schema

import (
	"fmt"
	"reflect"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/schema/fields"
	"rehearse.dev/rehearse/harness/strictyaml"
)

// topic is something that can be explained.
type topic struct {
	name    string
	summary string
	typ     reflect.Type
	// kind is the registry whose entries it can hold; empty if none.
	kind string
	// block is set if it is an object of the spec rather than an item of a list; it then names its entry instead of holding it.
	block bool
}

// topics are in the order in which a scenario is written.
func topics() []topic {
	return []topic{
		{"scenario", "One file: what to install, what to do to it, and what must hold afterwards.", reflect.TypeFor[v1alpha1.Scenario](), "", false},
		{"step", "One operation and the outcome it must have.", reflect.TypeFor[v1alpha1.Step](), "operation", false},
		{"readiness", "When the pods of a workload become ready; nothing of the chart is touched.", reflect.TypeFor[v1alpha1.ReadinessRule](), "", false},
		{"actor", "A co-owner that writes to the cluster beside Helm.", reflect.TypeFor[v1alpha1.Actor](), "actor", false},
		{"fault", "Something that breaks on purpose, and is mended again.", reflect.TypeFor[v1alpha1.Fault](), "fault", false},
		{"assert", "One thing that must hold, judged from the evidence.", reflect.TypeFor[v1alpha1.Assertion](), "assertion", false},
		{"provider", "Who makes the cluster, and its settings there.", reflect.TypeFor[v1alpha1.Cluster](), "provider", true},
	}
}

// Topics lists what Explain knows.
func Topics() []string {
	var names []string
	for _, t := range topics() {
		names = append(names, t.name)
	}
	return names
}

// Explain returns help on a topic, on one entry of its registry, or, without a topic, on what can be explained.
func Explain(registries strictyaml.Registries, name, entryName string) (string, error) {
	p := &printer{registries: registries}
	if name == "" {
		for _, t := range topics() {
			p.line(0, "%-9s %s", t.name, t.summary)
			p.entries(t)
		}
		return p.String(), nil
	}
	for _, t := range topics() {
		if t.name == name && entryName == "" {
			return p.topic(t), nil
		}
		if t.name == name && t.kind != "" {
			info, err := entry(registries, t.kind, entryName)
			if err != nil {
				return "", err
			}
			return p.entry(t, info), nil
		}
		if t.name == name {
			return "", fmt.Errorf("%s has no entries to name; run: rehearse explain %s", name, name)
		}
	}
	return "", fmt.Errorf("there is no topic %q%s", name, registry.Hint(name, Topics()))
}

// printer writes indented lines.
type printer struct {
	strings.Builder
	registries strictyaml.Registries
}

func (p *printer) line(level int, format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	if text != "" {
		text = strings.Repeat("  ", level) + text
	}
	p.WriteString(text + "\n")
}

func (p *printer) topic(t topic) string {
	p.line(0, "%s", t.name)
	p.line(1, "%s", t.summary)
	p.line(0, "")
	p.line(0, "fields")
	p.fields(1, fields.Of(t.typ), "")
	if t.kind != "" {
		p.line(0, "")
		p.line(0, "exactly one %s (more: rehearse explain %s NAME)", t.kind, t.name)
		p.entries(t)
	}
	return p.String()
}

func (p *printer) entries(t topic) {
	width := 0
	for _, info := range p.registries[t.kind] {
		width = max(width, len(info.Name))
	}
	for _, info := range p.registries[t.kind] {
		p.line(1, "%-*s %s", width, info.Name, info.Summary)
	}
}

func (p *printer) entry(t topic, info registry.Info) string {
	p.line(0, "%s %s", t.name, info.Name)
	p.line(1, "%s", info.Summary)
	p.line(0, "")
	p.line(0, "fields")
	p.fields(1, fields.Of(reflect.TypeOf(info.NewSpec()).Elem()), info.Name)
	p.line(0, "")
	p.line(0, "example")
	example := ListItem(info.Example)
	if t.block {
		example = strings.TrimSpace(info.Example)
	}
	for _, text := range strings.Split(example, "\n") {
		p.line(1, "%s", text)
	}
	if len(info.Where) > 0 {
		p.line(0, "")
		p.line(0, "available on providers")
	}
	for _, text := range info.Where {
		p.line(1, "%s", text)
	}
	return p.String()
}

// ListItem returns an entry's example as the list item that it is in a scenario: with its dash.
func ListItem(example string) string {
	return "- " + strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n  ")
}

// fields writes fields and, below each, those of the struct it holds.
func (p *printer) fields(level int, all []fields.Field, entry string) {
	for _, f := range all {
		if f.Registry != "" || entry != "" && !f.Known(entry) {
			continue
		}
		p.line(level, "%s  <%s>%s", f.Name, typeText(f, f.Type), remarks(f))
		p.line(level+2, "%s", f.Doc)
		inner := innerStruct(f.Type)
		switch kind := registryOf(inner); {
		case inner == nil:
		case kind != "":
			p.line(level+2, "See rehearse explain %s.", topicOf(kind))
		default:
			p.fields(level+1, fields.Of(inner), "")
		}
	}
}

// remarks are what a reader must know of a field beside its type.
func remarks(f fields.Field) string {
	var all string
	if f.Required {
		all += "  required"
	}
	if f.Default != "" {
		all += "  default " + f.Default
	}
	if f.Min != "" {
		all += "  at least " + f.Min
	}
	if f.Shorthand {
		all += "  may stand alone in place of the mapping"
	}
	return all
}

// innerStruct is the struct that a field holds, directly or in a list or mapping; nil if it holds none.
func innerStruct(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || fields.IsDuration(t) {
		return nil
	}
	return t
}

func registryOf(t reflect.Type) string {
	if t == nil {
		return ""
	}
	for _, f := range fields.Of(t) {
		if f.Registry != "" {
			return f.Registry
		}
	}
	return ""
}

func topicOf(kind string) string {
	for _, t := range topics() {
		if t.kind == kind {
			return t.name
		}
	}
	return ""
}

// formatTexts say what a text with a format is.
var formatTexts = map[string]string{
	"ref":    "object as Kind[.group]/[namespace/]name",
	"path":   "field path",
	"name":   "DNS label",
	"step":   "name of a step",
	"actor":  "name of an actor",
	"fault":  "name of a fault",
	"regexp": "regular expression",
	"issue":  "owner/repository#number",
}

func typeText(f fields.Field, t reflect.Type) string {
	t = fields.Deref(t)
	switch {
	case fields.IsDuration(t):
		return "duration"
	case t.Kind() == reflect.Interface:
		return "any value"
	case t.Kind() == reflect.Slice:
		return "list of " + typeText(f, t.Elem())
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Interface, t.Kind() == reflect.Struct:
		return "mapping"
	case t.Kind() == reflect.Map:
		return "mapping of " + typeText(fields.Field{}, t.Key()) + " to " + typeText(f, t.Elem())
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() != reflect.String:
		return "integer"
	case len(f.Enum) > 0:
		return strings.Join(f.Enum, " | ")
	case formatTexts[f.Format] != "":
		return formatTexts[f.Format]
	default:
		return "text"
	}
}
