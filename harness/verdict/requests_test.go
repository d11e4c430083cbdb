package verdict_test

import (
	"testing"

	"rehearse.dev/rehearse/harness/verdict"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	some := &verdict.Requests{Total: 5, ByVerb: map[string]int{"get": 3, "patch": 1, "create": 1}, Refused: 1}
	more := &verdict.Requests{Total: 3, ByVerb: map[string]int{"patch": 3}, Unanswered: 1, Faulted: 2}
	for name, test := range map[string]struct {
		variants []verdict.Variant
		want     string
	}{
		"none":             {nil, ""},
		"nothing is known": {[]verdict.Variant{{}}, ""},
		"no request":       {[]verdict.Variant{{Requests: &verdict.Requests{}}}, "0"},
		"one":              {[]verdict.Variant{{Requests: some}, {}}, "5 (get 3, create 1, patch 1), refused: 1"},
		"several":          {[]verdict.Variant{{}, {Requests: some}, {Requests: more}}, "8 (patch 4, get 3, create 1), refused: 1, unanswered: 1, touched by a fault: 2"},
		"without verbs":    {[]verdict.Variant{{Requests: &verdict.Requests{}}, {Requests: more}}, "3 (patch 3), unanswered: 1, touched by a fault: 2"},
	} {
		if got := (verdict.Run{Variants: test.variants}).Requests().String(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if some.ByVerb["patch"] != 1 {
		t.Error("adding up changed what was added")
	}
}
