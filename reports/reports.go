// Package reports writes what a run came to, for people and for programs. Each form is one entry of Registry.
package reports

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/registry"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/html"
	"rehearse.dev/rehearse/reports/json"
	"rehearse.dev/rehearse/reports/junit"
	"rehearse.dev/rehearse/reports/markdown"
)

// Bundles reads the evidence of one variant, by its folder.
type Bundles func(dir string) (*evidence.Bundle, error)

// Report is one form of report.
type Report struct {
	// File is its name in the run's folder.
	File string
	// Write writes it.
	Write func(w io.Writer, run verdict.Run, bundles Bundles) error
}

// Option changes how reports are written.
type Option func(*options)

type options struct {
	junit junit.Options
}

// WithJUnit adapts junit.xml to its reader.
func WithJUnit(o junit.Options) Option { return func(all *options) { all.junit = o } }

// Registry is the one list of reports, in the order in which they are written.
func Registry(opts ...Option) registry.Registry[Report] {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return registry.New("report",
		registry.Entry[Report]{
			Name:    "junit",
			Summary: "JUnit XML, for CI.",
			Code: Report{File: "junit.xml", Write: func(w io.Writer, run verdict.Run, _ Bundles) error {
				return junit.Write(w, run, o.junit)
			}},
		},
		registry.Entry[Report]{
			Name:    "json",
			Summary: "All verdicts as one JSON document, for programs.",
			Code: Report{File: "report.json", Write: func(w io.Writer, run verdict.Run, _ Bundles) error {
				return json.Write(w, run)
			}},
		},
		registry.Entry[Report]{
			Name:    "markdown",
			Summary: "A summary for $GITHUB_STEP_SUMMARY and merge requests.",
			Code: Report{File: "summary.md", Write: func(w io.Writer, run verdict.Run, _ Bundles) error {
				return markdown.Write(w, run)
			}},
		},
		registry.Entry[Report]{
			Name:    "html",
			Summary: "One page with the evidence: what went wrong, who was ready when, who owned what.",
			Code: Report{File: "report.html", Write: func(w io.Writer, run verdict.Run, bundles Bundles) error {
				return html.Write(w, run, bundles)
			}},
		},
	)
}

// WriteAll writes every report into dir, the run's folder, which holds the variants' evidence. A report that cannot be
// written does not keep the others from being.
func WriteAll(dir string, run verdict.Run, opts ...Option) error {
	bundles := func(name string) (*evidence.Bundle, error) { return evidence.Load(filepath.Join(dir, name)) }
	all := Registry(opts...)
	var errs []error
	for _, name := range all.Names() {
		entry, err := all.Lookup(name)
		if err == nil {
			err = writeFile(filepath.Join(dir, entry.Code.File), func(w io.Writer) error { return entry.Code.Write(w, run, bundles) })
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write report %s: %w", name, evidence.WithRemedy(err)))
		}
	}
	return errors.Join(errs...)
}

// writeFile puts a file in place whole or not at all, since a CI system may pick it up at any time.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // it may be closed by now
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
