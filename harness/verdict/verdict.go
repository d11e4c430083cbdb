// Package verdict holds the outcomes of a rehearsal and the exit codes they lead to.
package verdict

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Status is the outcome of one assertion, step, variant or run.
type Status string

// The statuses, from best to worst.
const (
	// Passed: the hypothesis held.
	Passed Status = "passed"
	// Skipped: it was not tried, for a stated reason.
	Skipped Status = "skipped"
	// Inconclusive: the evidence is missing or says nothing, for example because a target matched nothing.
	Inconclusive Status = "inconclusive"
	// Errored: the harness or its infrastructure failed.
	Errored Status = "errored"
	// Failed: the hypothesis is wrong.
	Failed Status = "failed"
)

// Verdict is the outcome of one step, fault, readiness rule or assertion.
type Verdict struct {
	// Name is unique within a variant.
	Name string `json:"name"`
	// Kind is "step", "fault", "readiness" or the assertion's name in its registry.
	Kind string `json:"kind"`
	// Step is the step it concerns.
	Step string `json:"step,omitempty"`
	// Status is the outcome.
	Status Status `json:"status"`
	// Message says what was expected, what was seen, since which step and by which manager. Empty if passed.
	Message string `json:"message,omitempty"`
	// KnownIssue is the defect whose present behaviour the scenario states.
	KnownIssue string `json:"knownIssue,omitempty"`
	// Evidence lists sequence numbers of the timeline events it rests on.
	Evidence []int64 `json:"evidence,omitempty"`
	// File and Line say where the scenario states it.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Duration is how long a step took; 0 for an assertion.
	Duration time.Duration `json:"durationNs,omitempty"`
}

// Variant is the outcome of one variant of a scenario.
type Variant struct {
	Scenario    string `json:"scenario"`
	Variant     string `json:"variant,omitempty"`
	Description string `json:"description,omitempty"`
	File        string `json:"file"`
	// Provider made its cluster; empty in a run of a version that did not note it.
	Provider string `json:"provider,omitempty"`
	// Kubernetes is the version of its cluster; empty if it had none.
	Kubernetes string `json:"kubernetes,omitempty"`
	// Helm is the version of the Helm that it ran, or of each of several; empty if that is not known.
	Helm   string            `json:"helm,omitempty"`
	Seed   int64             `json:"seed"`
	Matrix map[string]string `json:"matrix,omitempty"`
	// Faults is a digest of the scenario's faults; empty if it has none.
	Faults string `json:"faults,omitempty"`
	// Dir is the bundle's folder, relative to the run's.
	Dir      string        `json:"dir"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"durationNs"`
	Status   Status        `json:"status"`
	// Reason says why a variant as a whole errored or was skipped.
	Reason string `json:"reason,omitempty"`
	// Recovery holds measured recovery times by step.
	Recovery map[string]time.Duration `json:"recoveryNs,omitempty"`
	// Requests counts what Helm asked of the API server; nil if that is not known.
	Requests *Requests `json:"requests,omitempty"`
	Verdicts []Verdict `json:"verdicts"`
}

// ID names a variant within a run: scenario, or scenario[variant].
func (v Variant) ID() string {
	if v.Variant == "" {
		return v.Scenario
	}
	return v.Scenario + "[" + v.Variant + "]"
}

// Recovered lists the steps whose recovery time was measured, in the order of the steps.
func (v Variant) Recovered() []string {
	position := func(step string) int {
		at := slices.IndexFunc(v.Verdicts, func(d Verdict) bool { return d.Kind == "step" && d.Name == step })
		if at < 0 {
			return len(v.Verdicts)
		}
		return at
	}
	return slices.SortedFunc(maps.Keys(v.Recovery), func(a, b string) int {
		return cmp.Or(position(a)-position(b), strings.Compare(a, b))
	})
}

// Run is the outcome of one invocation of the program.
type Run struct {
	ID         string            `json:"id"`
	Started    time.Time         `json:"started"`
	Duration   time.Duration     `json:"durationNs"`
	Status     Status            `json:"status"`
	ExitCode   int               `json:"exitCode"`
	Versions   map[string]string `json:"versions"`
	Args       []string          `json:"args"`
	Seed       int64             `json:"seed"`
	CleanupErr string            `json:"cleanupError,omitempty"`
	// Interrupted says that it was, which ExitCode does not tell if clean-up failed too.
	Interrupted bool      `json:"interrupted,omitempty"`
	Variants    []Variant `json:"variants"`
}

// SeedText is the seed that the run was called with, for people. Without one, which is 0, each variant says its own.
func (r Run) SeedText() string {
	if r.Seed == 0 {
		return "of each scenario"
	}
	return strconv.FormatInt(r.Seed, 10)
}

// Exit codes of the program.
const (
	ExitPassed       = 0
	ExitFailed       = 1
	ExitUsage        = 2
	ExitErrored      = 3
	ExitInconclusive = 4
	// ExitCleanupIncomplete comes after a pass or an interruption.
	ExitCleanupIncomplete = 5
	// ExitInterrupted also says that everything was cleaned up.
	ExitInterrupted = 130
)

// Worst returns the status that decides over all of them: failed before errored before inconclusive before passed.
// All skipped is skipped; none at all is inconclusive, since nothing was shown.
func Worst(all []Status) Status {
	if len(all) == 0 {
		return Inconclusive
	}
	rank := map[Status]int{Skipped: 0, Passed: 1, Inconclusive: 2, Errored: 3, Failed: 4}
	worst := all[0]
	for _, s := range all[1:] {
		if rank[s] > rank[worst] {
			worst = s
		}
	}
	return worst
}

// ExitCode maps a run's status to the program's exit code. A run of which everything was skipped passes.
func ExitCode(s Status) int {
	switch s {
	case Failed:
		return ExitFailed
	case Errored:
		return ExitErrored
	case Inconclusive:
		return ExitInconclusive
	default:
		return ExitPassed
	}
}
