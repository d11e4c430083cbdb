package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/runner"
	"rehearse.dev/rehearse/harness/scenario"
	"rehearse.dev/rehearse/harness/verdict"
	"rehearse.dev/rehearse/reports/trackrecord"
)

// pitfallLabel has the number of the pitfall that a scenario is about.
const pitfallLabel = "pitfall"

// trackRecord is where the track record comes from and where it stands.
type trackRecord struct {
	// scenarios is the folder of the scenarios on record, verdicts the file with their last outcomes.
	scenarios, verdicts string
	// document has the table.
	document string
}

func newTrackRecordCmd() *cobra.Command {
	r := trackRecord{}
	write := false
	cmd := &cobra.Command{
		Use:   "track-record RUN",
		Short: "Hold the track record of known defects against a run, or write it anew",
		Long: `Track-record judges the evidence of a run again and holds it against the last verdicts that a repository has on record for its
scenarios with a trackRecord, and against the table of them in a document. With --write it writes both anew.

Exit codes: 0 all is as the run has it, 1 something differs, 2 usage.`,
		Example: `  rehearse track-record reports/runs/20260314-101502-k3x9ab
  rehearse track-record reports/runs/20260314-101502-k3x9ab --write`,
		Args:   cobra.ExactArgs(1),
		Hidden: true, // it is for this repository, and for those that are made like it
		RunE: func(cmd *cobra.Command, args []string) error {
			now, rows, err := r.ofRun(args[0])
			if err != nil {
				return usageError(err)
			}
			if write {
				return r.write(rows, now)
			}
			return r.check(cmd.OutOrStdout(), rows, now)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.scenarios, "scenarios", "scenarios", "folder of the scenarios on record")
	flags.StringVar(&r.verdicts, "verdicts", filepath.Join("scenarios", "track-record.json"), "file with their last verdicts")
	flags.StringVar(&r.document, "document", "README.md", "Markdown file with the table")
	flags.BoolVar(&write, "write", false, "write the verdicts and the table anew")
	return cmd
}

// rows reads what the scenarios are on record for.
func (r trackRecord) rows() ([]trackrecord.Row, error) {
	files, err := scenario.Load([]string{r.scenarios}, runner.Catalog())
	if err != nil {
		return nil, err
	}
	var rows []trackrecord.Row
	for _, file := range files {
		spec := file.Scenario.Spec
		if spec.TrackRecord == nil {
			continue
		}
		pitfall, err := strconv.Atoi(file.Scenario.Metadata.Labels[pitfallLabel])
		if err != nil {
			return nil, fmt.Errorf("%s: a scenario with a trackRecord says in its label %s which pitfall it is about, by number: %w", file.Path, pitfallLabel, err)
		}
		within, err := filepath.Rel(r.scenarios, file.Path)
		if err != nil {
			return nil, err
		}
		row := trackrecord.Row{
			Pitfall: pitfall, Scenario: file.Scenario.Metadata.Name,
			File:   "scenarios/" + filepath.ToSlash(within), // as it is run from the top of the repository
			Defect: spec.TrackRecord.Defect, Issue: spec.TrackRecord.Issue, Shows: spec.TrackRecord.Shows,
		}
		if row.Issue == "" && spec.KnownIssue != nil {
			row.Issue = spec.KnownIssue.Issue
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// ofRun reads what a run says of every scenario on record.
func (r trackRecord) ofRun(dir string) (trackrecord.Outcomes, []trackrecord.Row, error) {
	rows, err := r.rows()
	if err != nil {
		return nil, nil, err
	}
	run, err := runner.Rejudge(dir, runner.Catalog(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("judging %s: %w", dir, err)
	}
	versions := map[string]string{}
	for _, v := range run.Variants {
		versions[v.Dir], err = helmVersion(filepath.Join(dir, v.Dir), run.Versions)
		if err != nil {
			return nil, nil, err
		}
	}
	return trackrecord.Of(run, rows, func(v verdict.Variant) string { return versions[v.Dir] }), rows, nil
}

// helmVersion is the version of Helm that a variant ran with. One that left no evidence would have run with the program's.
func helmVersion(bundle string, program map[string]string) (string, error) {
	about := evidence.Variant{Versions: program}
	data, err := os.ReadFile(filepath.Join(bundle, evidence.VariantFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err == nil {
		if err := json.Unmarshal(data, &about); err != nil {
			return "", fmt.Errorf("%s: %w", bundle, err)
		}
	}
	return bornUnder(about.Versions["helm"]), nil
}

// bornUnder is the last of the versions that worked on a release, and those that had it before: "4.3.1 after 3.19.0".
func bornUnder(versions string) string {
	all := strings.Split(versions, ", ")
	for i := range all {
		all[i] = strings.TrimPrefix(all[i], "v")
	}
	last := all[len(all)-1]
	if len(all) == 1 {
		return last
	}
	return last + " after " + strings.Join(all[:len(all)-1], " and ")
}

// last reads the verdicts on record.
func (r trackRecord) last() (trackrecord.Outcomes, error) {
	data, err := os.ReadFile(r.verdicts)
	if err != nil {
		return nil, err
	}
	all := trackrecord.Outcomes{}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", r.verdicts, err)
	}
	return all, nil
}

// check tells each difference between the record and a run.
func (r trackRecord) check(stdout io.Writer, rows []trackrecord.Row, now trackrecord.Outcomes) error {
	last, err := r.last()
	if err != nil {
		return usageError(err)
	}
	for _, d := range trackrecord.Compare(rows, last, now) {
		fmt.Fprintf(stdout, "%s: on record it %s, in this run it %s\n", d.Scenario, d.Before, d.Now)
	}
	same, err := r.current(rows, now)
	if err != nil {
		return usageError(err)
	}
	if same {
		return nil
	}
	return &exitError{code: verdict.ExitFailed, err: fmt.Errorf("the track record in %s and %s is not what the run says: run rehearse track-record RUN --write, and say in the commit why it differs", r.document, r.verdicts)}
}

// current tells whether verdicts and table are as they would be written.
func (r trackRecord) current(rows []trackrecord.Row, outcomes trackrecord.Outcomes) (bool, error) {
	for path, want := range r.files() {
		is, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		should, err := want(rows, outcomes)
		if err != nil || string(is) != should {
			return false, err
		}
	}
	return true, nil
}

// write writes verdicts and table.
func (r trackRecord) write(rows []trackrecord.Row, outcomes trackrecord.Outcomes) error {
	for path, content := range r.files() {
		text, err := content(rows, outcomes)
		if err != nil {
			return usageError(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return harnessError(err)
		}
	}
	return nil
}

// files says how each file is made.
func (r trackRecord) files() map[string]func([]trackrecord.Row, trackrecord.Outcomes) (string, error) {
	return map[string]func([]trackrecord.Row, trackrecord.Outcomes) (string, error){
		r.verdicts: func(_ []trackrecord.Row, outcomes trackrecord.Outcomes) (string, error) {
			data, err := json.MarshalIndent(outcomes, "", "  ")
			return string(data) + "\n", err
		},
		r.document: func(rows []trackrecord.Row, outcomes trackrecord.Outcomes) (string, error) {
			is, err := os.ReadFile(r.document)
			if err != nil {
				return "", err
			}
			text, err := trackrecord.Replace(string(is), trackrecord.Table(rows, outcomes))
			if err != nil {
				return "", fmt.Errorf("%s: %w", r.document, err)
			}
			return text, nil
		},
	}
}
