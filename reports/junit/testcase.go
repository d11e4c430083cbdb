package junit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rehearse.dev/rehearse/harness/verdict"
)

// maxText bounds one message. Readers refuse a file of more than 30 MB, and one of them fields of more than 64 KiB.
const maxText = 16 << 10

// caseOf turns one verdict into a testcase. shared are the properties of the whole variant: few readers show those of
// a suite, so they are repeated in the testcase's output.
func caseOf(v verdict.Variant, d verdict.Verdict, shared []property, attachments []string) *testcase {
	c := &testcase{Name: d.Name, File: d.File, Line: d.Line, Time: seconds(d.Duration)}
	if d.Kind == "step" {
		c.Name = "step " + d.Name
	}
	own := ownProperties(v, d)
	c.Properties = propertiesOf(own)
	message := clip(printable(d.Message))
	if message == "" {
		message = fmt.Sprintf("%s %s", d.Name, d.Status)
	}
	switch d.Status {
	case verdict.Passed:
		attachments = nil
	case verdict.Skipped:
		c.Skipped = &outcome{Message: message, Text: message}
		attachments = nil
	case verdict.Failed:
		c.Failure = &outcome{Type: d.Kind, Message: message, Text: body(v, d, message)}
	case verdict.Errored, verdict.Inconclusive:
		c.Error = &outcome{Type: string(d.Status), Message: message, Text: body(v, d, message)}
	default:
		unknown := fmt.Sprintf("unknown status %q: %s", d.Status, message)
		c.Error = &outcome{Type: "unknown", Message: unknown, Text: unknown}
	}
	c.SystemOut.Text = output(append(slices.Clone(shared), own...), attachments)
	return c
}

// body repeats the message, since some readers show nothing else, and says where to look further.
func body(v verdict.Variant, d verdict.Verdict, message string) string {
	lines := []string{message}
	if d.Step != "" && d.Kind != "step" {
		lines = append(lines, "step: "+d.Step)
	}
	if d.KnownIssue != "" {
		lines = append(lines, "known issue: "+d.KnownIssue)
	}
	if d.File != "" {
		lines = append(lines, fmt.Sprintf("scenario: %s:%d", d.File, d.Line))
	}
	if len(d.Evidence) > 0 {
		lines = append(lines, fmt.Sprintf("evidence: %s/timeline.jsonl, events %s", v.Dir, numbers(d.Evidence)))
	}
	return printable(strings.Join(lines, "\n"))
}

func numbers(seqs []int64) string {
	const most = 10
	var all []string
	for _, s := range seqs[:min(len(seqs), most)] {
		all = append(all, strconv.FormatInt(s, 10))
	}
	if more := len(seqs) - most; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}

func sharedProperties(run verdict.Run, v verdict.Variant) []property {
	all := []property{{"run", run.ID}, {"seed", strconv.FormatInt(v.Seed, 10)}}
	if v.Faults != "" {
		all = append(all, property{"faults", v.Faults})
	}
	versions := versionsOf(run, v)
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		all = append(all, property{"version." + name, versions[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Matrix)) {
		all = append(all, property{"matrix." + name, v.Matrix[name]})
	}
	for _, step := range slices.Sorted(maps.Keys(v.Recovery)) {
		all = append(all, property{"recovery." + step, seconds(v.Recovery[step])})
	}
	return all
}

// versionsOf are the run's versions, but of Helm and Kubernetes the variant's own: a run may have several of them.
func versionsOf(run verdict.Run, v verdict.Variant) map[string]string {
	all := map[string]string{}
	maps.Copy(all, run.Versions)
	for name, own := range map[string]string{"helm": v.Helm, "kubernetes": v.Kubernetes} {
		if own != "" {
			all[name] = own
		}
	}
	return all
}

func ownProperties(v verdict.Variant, d verdict.Verdict) []property {
	all := []property{{"kind", d.Kind}}
	if recovery, ok := v.Recovery[d.Step]; ok && d.Step != "" {
		all = append(all, property{"recovery", seconds(recovery)})
	}
	if d.KnownIssue != "" {
		all = append(all, property{"knownIssue", d.KnownIssue})
	}
	return all
}

// output holds the markers that readers without testcase properties look for, each alone on its line.
func output(properties []property, attachments []string) string {
	var b strings.Builder
	for _, p := range properties {
		fmt.Fprintf(&b, "[[PROPERTY|%s=%s]]\n", p.Name, oneLine(p.Value))
	}
	for _, path := range attachments {
		fmt.Fprintf(&b, "[[ATTACHMENT|%s]]\n", path)
	}
	return printable(b.String())
}

func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s\n… %d bytes more in report.html", s[:cut], len(s)-cut)
}
