package progress

import (
	"errors"
	"io"
	"testing"
)

// TestOnTerminal: a terminal gets the live display, unless it cannot show it or nobody looks at it.
func TestOnTerminal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env    map[string]string
		width  int
		err    error // of asking for the size
		live   bool
		colour bool
	}{
		"a terminal":           {env: map[string]string{"TERM": "xterm-256color"}, width: 80, live: true, colour: true},
		"nothing is said":      {width: 80, live: true, colour: true},
		"NO_COLOR":             {env: map[string]string{"NO_COLOR": "1"}, width: 80, live: true},
		"CI":                   {env: map[string]string{"CI": "true"}, width: 80},
		"a dumb terminal":      {env: map[string]string{"TERM": "dumb"}, width: 80},
		"no columns":           {},
		"its size is not told": {width: 80, err: errors.New("not a terminal")},
	} {
		size := func() (int, int, error) { return test.width, 24, test.err }
		r := onTerminal(io.Discard, size, func(name string) string { return test.env[name] })
		r.Close()
		got, live := r.(*live)
		if live != test.live {
			t.Errorf("%s: a live display: %t, want %t", name, live, test.live)
		}
		if live && (got.palette != nil) != test.colour {
			t.Errorf("%s: in colour: %t, want %t", name, got.palette != nil, test.colour)
		}
	}
}
