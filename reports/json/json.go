// Package json writes a run as one JSON document, for programs. The same document goes to standard output with
// --output json.
//
// Its fields are those of verdict.Run, after apiVersion and kind:
//
//	apiVersion    rehearse.dev/v1alpha1
//	kind          Run
//	id            the run's name, and that of its folder
//	started       RFC 3339, UTC
//	durationNs    nanoseconds, as all fields that end in Ns
//	status        passed, failed, errored, inconclusive or skipped: the worst of the variants'
//	exitCode      what the program exited with
//	versions      versions by component, for example helm
//	args, seed    what it was called with
//	cleanupError  why something could not be removed; absent if all was
//	interrupted   true if the run was; absent if not
//	variants      one for each variant of each scenario: scenario, variant, description, file, provider and
//	              kubernetes (of its cluster, and its version), helm (the version, or versions, that it ran), seed, matrix,
//	              dir (its evidence, relative to the run's folder), started, durationNs, status, reason (why it errored or was
//	              skipped as a whole), recoveryNs (by step), requests (of Helm to the API server: total, byVerb, refused,
//	              unanswered, and faulted, which a fault did something to; absent if none were recorded), and
//	  verdicts    one for each step, fault, readiness rule and assertion: name (unique in the variant), kind (step, fault,
//	              readiness, or the assertion's name in its registry), step, status, message, knownIssue, evidence (sequence numbers in timeline.jsonl), file,
//	              line, durationNs
//
// Lists are never null. Maps are sorted by key. Fields may be added; none is renamed within v1alpha1.
package json

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"rehearse.dev/rehearse/harness/verdict"
)

// The type that the document states.
const (
	APIVersion = "rehearse.dev/v1alpha1"
	Kind       = "Run"
)

type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	verdict.Run
}

// Write writes the run as an indented JSON document.
func Write(w io.Writer, run verdict.Run) error {
	run.Args = orEmpty(run.Args)
	run.Variants = orEmpty(slices.Clone(run.Variants))
	for i := range run.Variants {
		run.Variants[i].Verdicts = orEmpty(run.Variants[i].Verdicts)
	}
	if run.Versions == nil {
		run.Versions = map[string]string{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document{APIVersion, Kind, run}); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
