// Package bench_test compares the whole of rehearse with what people would do without it, side by side and in turns on
// the same cluster. Each benchmark prints a table with the budget beside what was measured. Nothing here fails because
// something was slow: the ratios are for people to read, on a machine that is otherwise quiet.
//
// Budgets of single packages are measured where the code is: BenchmarkBoot in harness/cluster/embedded, BenchmarkJudge
// in harness/assert.
package bench_test

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// sample holds one measurement of each round.
type sample []time.Duration

// String is the median and the range.
func (s sample) String() string {
	return fmt.Sprintf("%s (%s to %s)", seconds(median(s)), seconds(slices.Min(s)), seconds(slices.Max(s)))
}

func (s sample) over(other sample) float64 { return median(s).Seconds() / median(other).Seconds() }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

func mebibytes(n int64) string { return fmt.Sprintf("%dMiB", n>>20) }

// median returns the middle value; the lower one of two.
func median[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[(len(values)-1)/2]
}

// table is what a benchmark prints.
type table struct {
	title   string
	columns []string
	rows    []row
}

// row is a line of a table. A ratio or a budget of 0 is none.
type row struct {
	what   string
	cells  []string
	ratio  float64
	budget float64
}

func (t table) String() string {
	var text strings.Builder
	text.WriteString("\n" + t.title + "\n")
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\t%s\tratio\tbudget\n", strings.Join(t.columns, "\t"))
	for _, r := range t.rows {
		ratio, budget := "", ""
		if r.ratio != 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio)
		}
		if r.budget != 0 {
			budget = fmt.Sprintf("%.2f %s", r.budget, within(r))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, strings.Join(r.cells, "\t"), ratio, budget)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return strings.TrimRight(text.String(), "\n")
}

func within(r row) string {
	if r.ratio <= r.budget {
		return "kept"
	}
	return "MISSED"
}

// about says what the medians are of and what machine they are from, also how busy it was: numbers of a busy machine are
// worth little.
func about(s sample) string {
	text := fmt.Sprintf("medians of %d, %d CPUs", len(s), runtime.NumCPU())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		text += ", load at the end " + strings.Fields(string(load))[0]
	}
	return text
}

// inTurns calls all in each round of a benchmark, each time another one first, so that what else goes on weighs on all
// alike.
func inTurns(b *testing.B, contenders ...func()) {
	b.Helper()
	for b.Loop() {
		for _, do := range contenders {
			do()
		}
		contenders = append(contenders[1:], contenders[0])
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	ours, theirs := sample{3 * time.Second, time.Second, 2 * time.Second}, sample{4 * time.Second, time.Second}
	got := table{
		title: "title", columns: []string{"ours", "theirs"},
		rows: []row{
			{"kept", []string{ours.String(), theirs.String()}, ours.over(theirs), 2},
			{"missed", []string{"1", "2"}, 3, 2.5},
			{"no budget", []string{mebibytes(5 << 20), ""}, 0, 0},
		},
	}.String()
	want := strings.Join([]string{
		"", "title",
		"           ours                    theirs                  ratio  budget",
		"kept       2.00s (1.00s to 3.00s)  1.00s (1.00s to 4.00s)  2.00   2.00 kept",
		"missed     1                       2                       3.00   2.50 MISSED",
		"no budget  5MiB                                                   ",
	}, "\n")
	if strings.TrimRight(got, " ") != strings.TrimRight(want, " ") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
