package main

import (
	"errors"
	"io"
	"testing"

	"rehearse.dev/rehearse/harness/replay"
	"rehearse.dev/rehearse/harness/verdict"
)

// TestCodeAfter: an interruption decides over the failures that it leads to, but not over clean-up that failed.
func TestCodeAfter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code        int
		interrupted bool
		want        int
	}{
		{2, false, 2},
		{3, false, 3},
		{5, false, 5},
		{2, true, 130},
		{3, true, 130},
		{130, true, 130},
		{5, true, 5},
	} {
		if got := (&exitError{code: test.code}).codeAfter(test.interrupted); got != test.want {
			t.Errorf("code %d, interrupted %t: %d, want %d", test.code, test.interrupted, got, test.want)
		}
	}
}

// TestSettle: the code of a run that was not interrupted stands, however the program was ended after it.
func TestSettle(t *testing.T) {
	t.Parallel()
	var exit *exitError
	if err := settle(&exitError{code: 4}); !errors.As(err, &exit) || !exit.settled || settle(nil) != nil {
		t.Errorf("%+v", exit)
	}
}

// TestOrUnwritten: that a report cannot be written is told, and hides neither a verdict's text nor that something is left.
func TestOrUnwritten(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	for name, test := range map[string]struct {
		told, unwritten error
		code            int
		says            string
	}{
		"all written":       {&exitError{code: 1}, nil, 1, ""},
		"passed":            {nil, full, 3, "no space left"},
		"failed":            {&exitError{code: 1}, full, 3, "no space left"},
		"something left":    {&exitError{code: 5, err: errors.New("a namespace")}, full, 5, "a namespace\nno space left"},
		"left, and told of": {&exitError{code: 5}, full, 5, "no space left"},
	} {
		err := orUnwritten(test.told, test.unwritten)
		var exit *exitError
		if !errors.As(err, &exit) || exit.code != test.code || test.says != "" && exit.Error() != test.says {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := orUnwritten(nil, nil); err != nil {
		t.Errorf("nothing wrong: %v", err)
	}
}

// TestReplayInterrupted: replays that an interruption cut short are not compared, whatever became of clean-up.
func TestReplayInterrupted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code    int
		cleanup string
		says    string
	}{
		"clean":     {130, "", "interrupted: 0 of 1 replays were run whole"},
		"leftovers": {5, "a namespace", "interrupted: 0 of 1 replays were run whole; a namespace"},
	} {
		f := replayFlags{times: 1}
		out := verdict.Run{Interrupted: true, ExitCode: test.code, CleanupErr: test.cleanup, Variants: []verdict.Variant{{Status: verdict.Skipped}}}
		original := replay.Original{Variants: make([]replay.Variant, 1)}
		err := f.conclude(io.Discard, out, f.outcome(original, nil, out, t.TempDir()))
		var exit *exitError
		if !errors.As(err, &exit) || exit.code != test.code || exit.Error() != test.says {
			t.Errorf("%s: %v", name, err)
		}
	}
}
