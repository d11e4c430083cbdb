package runner

import (
	"errors"
	"strings"
	"testing"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

func TestMismatch(t *testing.T) {
	t.Parallel()
	boom := errors.New("deadline exceeded: boom")
	stored := evidence.Ledger{Release: "shop", Revisions: []evidence.Revision{{Revision: 2, Status: "failed"}, {Revision: 1, Status: "deployed"}}}
	failure := func(contains, matches string) *v1alpha1.ExpectError {
		return &v1alpha1.ExpectError{Contains: contains, Matches: matches}
	}
	for name, test := range map[string]struct {
		want   *v1alpha1.Expect
		got    error
		ledger evidence.Ledger
		// says is the mismatch, or a part of it; empty if there is none.
		says string
	}{
		"success is expected by default": {},
		"an error is not":                {got: boom, says: "expected success, got the error: deadline exceeded: boom"},
		"an empty expect is success":     {want: &v1alpha1.Expect{}, got: boom, says: "expected success"},
		"any error":                      {want: &v1alpha1.Expect{Error: failure("", "")}, got: boom},
		"an error that did not come":     {want: &v1alpha1.Expect{Error: failure("", "")}, says: "expected an error, but it succeeded"},
		"text":                           {want: &v1alpha1.Expect{Error: failure("deadline", "")}, got: boom},
		"another text":                   {want: &v1alpha1.Expect{Error: failure("conflict", "")}, got: boom, says: `expected an error that contains "conflict", got: deadline exceeded: boom`},
		"text of no error":               {want: &v1alpha1.Expect{Error: failure("conflict", "")}, says: `expected an error that contains "conflict", but it succeeded`},
		"pattern":                        {want: &v1alpha1.Expect{Error: failure("", "^deadline.*boom$")}, got: boom},
		"another pattern":                {want: &v1alpha1.Expect{Error: failure("", "^boom")}, got: boom, says: `expected an error that matches "^boom", got: deadline`},
		"pattern of no error":            {want: &v1alpha1.Expect{Error: failure("", "^boom")}, says: `expected an error that matches "^boom", but it succeeded`},
		"text without pattern":           {want: &v1alpha1.Expect{Error: failure("deadline", "^boom")}, got: boom, says: "matches"},
		"no pattern at all":              {want: &v1alpha1.Expect{Error: failure("", "(")}, got: boom, says: "is no regular expression"},
		"status of the newest revision":  {want: &v1alpha1.Expect{Status: "failed"}, ledger: stored},
		"status of an older one":         {want: &v1alpha1.Expect{Status: "deployed"}, ledger: stored, says: "expected revision 2 to be deployed, Helm's storage says failed"},
		"newest revision":                {want: &v1alpha1.Expect{Revision: 2}, ledger: stored},
		"older revision":                 {want: &v1alpha1.Expect{Revision: 1}, ledger: stored, says: "expected the newest revision to be 1, Helm's storage says 2"},
		"no revision":                    {want: &v1alpha1.Expect{Revision: 1}, ledger: evidence.Ledger{Release: "shop"}, says: "Helm's storage holds no revision of release shop"},
		"records that cannot be read":    {want: &v1alpha1.Expect{Revision: 2}, ledger: evidence.Ledger{Revisions: stored.Revisions, Unreadable: map[string]string{"r.v3": "broken"}}, says: "cannot be read (r.v3)"},
		"any outcome, an error":          {want: &v1alpha1.Expect{Any: true}, got: boom},
		"any outcome, a success":         {want: &v1alpha1.Expect{Any: true}},
		"any outcome, but a status":      {want: &v1alpha1.Expect{Any: true, Status: "deployed"}, got: boom, ledger: stored, says: "expected revision 2 to be deployed"},
		"no revision is asked for":       {want: &v1alpha1.Expect{}, ledger: evidence.Ledger{}},
		"everything at once": {
			want: &v1alpha1.Expect{Error: failure("", ""), Status: "deployed", Revision: 3}, ledger: stored,
			says: "but it succeeded; expected revision 2 to be deployed, Helm's storage says failed; expected the newest revision to be 3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mismatch(test.want, test.got, test.ledger)
			if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
				t.Errorf("got %q, want %q", got, test.says)
			}
		})
	}
}
