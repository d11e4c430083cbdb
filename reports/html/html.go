// Package html writes a run as one self-contained page: what went wrong, then for each variant its assertions, who was
// ready when, who owned what after each step, and what Helm's storage held. It needs no network and no script.
package html

import (
	"embed"
	"fmt"
	"html/template"
	"io"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/internal/page"
)

//go:embed templates
var files embed.FS

// Write writes the run as HTML. open reads the bundle in a variant's folder; a variant whose bundle cannot be read is
// shown without evidence, and with the reason. One bundle is held at a time.
func Write(w io.Writer, run verdict.Run, open func(dir string) (*evidence.Bundle, error)) error {
	whole, err := parse()
	if err != nil {
		return err
	}
	if err := whole.ExecuteTemplate(w, "head", headOf(run)); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	for i, v := range run.Variants {
		view := variantOf(i, v)
		view.addEvidence(v, open)
		if err := whole.ExecuteTemplate(w, "variant", view); err != nil {
			return fmt.Errorf("write HTML of %s: %w", v.ID(), err)
		}
	}
	if err := whole.ExecuteTemplate(w, "foot", nil); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

func parse() (*template.Template, error) {
	script, err := files.ReadFile("templates/filter.js")
	if err != nil {
		return nil, fmt.Errorf("read the report's script: %w", err)
	}
	whole, err := template.New("page").Funcs(template.FuncMap{
		"style":  page.Style,
		"script": func() template.JS { return template.JS(script) },
	}).ParseFS(files, "templates/*.gohtml")
	if err != nil {
		return nil, fmt.Errorf("read the report's templates: %w", err)
	}
	return whole, nil
}

// addEvidence fills in what the bundle tells.
func (view *variant) addEvidence(v verdict.Variant, open func(string) (*evidence.Bundle, error)) {
	if v.Dir == "" {
		return
	}
	b, err := open(v.Dir)
	if err != nil {
		view.NoEvidence = err.Error()
		return
	}
	view.Facts = append(view.Facts, factsOf(b)...)
	view.Charts = chartsOf(b, v)
	view.Owners, view.OwnersNote = ownersOf(b)
	view.Ledger = ledgerOf(b)
	view.Warnings = warningsOf(b)
	addOperations(view.Steps, b)
	addExcerpts(view.Assertions, b)
}
