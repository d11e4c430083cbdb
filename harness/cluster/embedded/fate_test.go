package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFate: what becomes of a component that ends again and again.
func TestFate(t *testing.T) {
	t.Parallel()
	began := time.Now()
	lasting := &outage{component: apiserver, Away: true, Since: began}
	at := func(after time.Duration, e end) end { e.at = began.Add(after); return e }
	for name, test := range map[string]struct {
		ends []end
		want []fate
	}{
		"a component that nothing was asked for": {[]end{{component: scheduler}}, []fate{dies}},
		"one that was killed on purpose":         {[]end{{component: apiserver, ordered: true}, {component: apiserver, ordered: true}}, []fate{awaits, awaits}},
		"one whose port was taken since": {
			[]end{{component: apiserver, ordered: true}, {component: apiserver, portTaken: true}, {component: apiserver}}, []fate{awaits, retries, dies},
		},
		"one whose port was taken before": {[]end{{component: apiserver, portTaken: true}}, []fate{dies}},
		"clients of what was taken away":  {[]end{{component: scheduler, felt: lasting}}, []fate{survives}},
		"and the controllers":             {[]end{{component: controllerManager, felt: lasting}}, []fate{survives}},
		"but no API server":               {[]end{{component: apiserver, felt: lasting}}, []fate{dies}},
		"nor etcd":                        {[]end{{component: etcd, felt: lasting}}, []fate{dies}},
		"one that ends again and again": {
			[]end{
				at(0, end{component: scheduler, felt: lasting}), at(time.Second, end{component: scheduler, felt: lasting}),
				at(2*time.Second, end{component: scheduler, felt: lasting}), at(aftermath-time.Second, end{component: scheduler, felt: lasting}),
			},
			[]fate{survives, survives, survives, dies},
		},
		"one that ends now and then": {
			[]end{
				at(0, end{component: scheduler, felt: lasting}), at(time.Second, end{component: scheduler, felt: lasting}),
				at(2*time.Second, end{component: scheduler, felt: lasting}), at(aftermath, end{component: scheduler, felt: lasting}),
			},
			[]fate{survives, survives, survives, survives},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var past history
			var got []fate
			for _, e := range test.ends {
				got = append(got, past.fate(e))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFeltOutage: which outage may be why a component ends.
func TestFeltOutage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do func(dir string) []error
		// after is when a component ends.
		after time.Duration
		want  string
	}{
		"none":                      {func(string) []error { return nil }, 0, ""},
		"one that never was":        {func(dir string) []error { return []error{endOutage(dir, etcd)} }, 0, ""},
		"one that lasts":            {func(dir string) []error { return []error{noteOutage(dir, etcd)} }, time.Hour, "while etcd was away on purpose"},
		"one that is just over":     {overOutage, time.Minute, "after etcd had been away on purpose"},
		"one that is over for long": {overOutage, aftermath, ""},
		"one that lasts beside one that is over": {
			func(dir string) []error {
				return []error{noteOutage(dir, apiserver), endOutage(dir, apiserver), noteOutage(dir, etcd)}
			}, 0, "while etcd was away on purpose",
		},
		"one that is damaged": {
			func(dir string) []error {
				return []error{os.WriteFile(filepath.Join(dir, etcd+outageSuffix), []byte("x"), 0o600)}
			}, 0, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, err := range test.do(dir) {
				must(t, err)
			}
			got := ""
			if felt := feltOutage(dir, time.Now().Add(test.after)); felt != nil {
				got = felt.when()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func overOutage(dir string) []error { return []error{noteOutage(dir, etcd), endOutage(dir, etcd)} }
