// Package junit writes a run as JUnit XML, in the subset that GitLab, GitHub's reporters, Jenkins, Buildkite and
// CircleCI all read: testsuites > testsuite (a variant) > testcase (a step or an assertion), one level deep.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"time"

	"rehearse.dev/rehearse/harness/verdict"
)

// Dialect says which schema the file keeps to.
type Dialect string

// The dialects.
const (
	// Default is what most readers know: a testcase has a file, a line and properties.
	Default Dialect = "default"
	// XUnit2 keeps to junit-10.xsd of the Jenkins xunit plugin, which refuses those three.
	XUnit2 Dialect = "xunit2"
)

// ParseDialect reads a dialect as a user writes it; empty is Default.
func ParseDialect(s string) (Dialect, error) {
	switch Dialect(s) {
	case "", Default:
		return Default, nil
	case XUnit2:
		return XUnit2, nil
	default:
		return "", fmt.Errorf("unknown JUnit dialect %q: use %s or %s", s, Default, XUnit2)
	}
}

// Options adapt the file to its reader.
type Options struct {
	// Dialect is the schema it keeps to; empty is Default.
	Dialect Dialect
	// PathBase is what attachments are relative to: the run's folder as the reader sees it. Empty leaves them relative
	// to that folder, where junit.xml lies too.
	PathBase string
}

// Write writes the run as JUnit XML. Characters that XML forbids become U+FFFD.
func Write(w io.Writer, run verdict.Run, o Options) error {
	doc := document(run, o)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	return nil
}

func document(run verdict.Run, o Options) *testsuites {
	doc := &testsuites{Name: "rehearse", Time: seconds(run.Duration)}
	names := unique{}
	for _, v := range run.Variants {
		doc.add(suiteOf(run, v, o, names))
	}
	if run.CleanupErr != "" {
		doc.add(cleanupSuite(run, names))
	}
	if o.Dialect == XUnit2 {
		doc.keepToXUnit2()
	}
	return doc
}

func suiteOf(run verdict.Run, v verdict.Variant, o Options, names unique) *testsuite {
	shared := sharedProperties(run, v)
	s := &testsuite{
		Name:       names.suite(v.ID()),
		Time:       seconds(v.Duration),
		Timestamp:  timestamp(v.Started),
		File:       v.File,
		Properties: propertiesOf(shared),
	}
	attachments := attachmentsOf(v, o.PathBase)
	if v.Reason != "" {
		s.add(variantCase(v, attachments), names)
	}
	for _, d := range v.Verdicts {
		s.add(caseOf(v, d, shared, attachments), names)
	}
	return s
}

// variantCase speaks for a variant that errored or was skipped as a whole: without it nothing in the file would.
func variantCase(v verdict.Variant, attachments []string) *testcase {
	return caseOf(v, verdict.Verdict{Name: "variant", Kind: "variant", Status: v.Status, Message: v.Reason, File: v.File}, nil, attachments)
}

func cleanupSuite(run verdict.Run, names unique) *testsuite {
	s := &testsuite{Name: names.suite("rehearse"), Time: seconds(0), Timestamp: timestamp(run.Started.Add(run.Duration))}
	s.add(caseOf(verdict.Variant{}, verdict.Verdict{
		Name: "clean-up", Kind: "cleanup", Status: verdict.Errored,
		Message: run.CleanupErr + "\nrun `rehearse gc` to remove what is left",
	}, nil, nil), names)
	return s
}

func attachmentsOf(v verdict.Variant, base string) []string {
	all := []string{path.Join(base, "report.html")}
	if v.Dir != "" {
		all = append(all, path.Join(base, v.Dir, "timeline.jsonl"), path.Join(base, v.Dir, "snapshots.jsonl"))
	}
	return all
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// timestamp leaves the zone out: the strictest schemas refuse one, and all readers take the time for UTC.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}
