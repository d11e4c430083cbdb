package runner

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
)

// mismatch says how the outcome of a step differs from the one it must have; it is empty if it does not. The ledger
// is what Helm's storage held after the operation, whatever the operation returned.
func mismatch(want *v1alpha1.Expect, got error, ledger evidence.Ledger) string {
	if want == nil {
		want = &v1alpha1.Expect{}
	}
	var found []string
	if text := errorMismatch(want.Error, got); text != "" && !want.Any {
		found = append(found, text)
	}
	newest, ok := newestRevision(ledger)
	switch {
	case !looksAtStorage(want):
	case len(ledger.Unreadable) > 0:
		found = append(found, fmt.Sprintf("Helm's storage has records that cannot be read (%s), so the newest revision is not known",
			strings.Join(slices.Sorted(maps.Keys(ledger.Unreadable)), ", ")))
	case !ok:
		found = append(found, "Helm's storage holds no revision of release "+ledger.Release)
	default:
		if want.Status != "" && newest.Status != want.Status {
			found = append(found, fmt.Sprintf("expected revision %d to be %s, Helm's storage says %s", newest.Revision, want.Status, newest.Status))
		}
		if want.Revision != 0 && newest.Revision != want.Revision {
			found = append(found, fmt.Sprintf("expected the newest revision to be %d, Helm's storage says %d", want.Revision, newest.Revision))
		}
	}
	return strings.Join(found, "; ")
}

// looksAtStorage reports whether an expectation can be judged only by what Helm's storage holds.
func looksAtStorage(want *v1alpha1.Expect) bool {
	return want != nil && (want.Status != "" || want.Revision != 0)
}

func errorMismatch(want *v1alpha1.ExpectError, got error) string {
	switch {
	case want == nil && got == nil:
		return ""
	case want == nil:
		return fmt.Sprintf("expected success, got the error: %v", got)
	case got == nil:
		return fmt.Sprintf("expected an error%s, but it succeeded", wanted(want))
	case !strings.Contains(got.Error(), want.Contains):
		return fmt.Sprintf("expected an error that contains %q, got: %v", want.Contains, got)
	}
	if want.Matches == "" {
		return ""
	}
	// Validation has compiled it before; a failure here is told, not hidden.
	pattern, err := regexp.Compile(want.Matches)
	if err != nil {
		return fmt.Sprintf("expect.error.matches is no regular expression: %v", err)
	}
	if !pattern.MatchString(got.Error()) {
		return fmt.Sprintf("expected an error that matches %q, got: %v", want.Matches, got)
	}
	return ""
}

func wanted(want *v1alpha1.ExpectError) string {
	switch {
	case want.Contains != "":
		return fmt.Sprintf(" that contains %q", want.Contains)
	case want.Matches != "":
		return fmt.Sprintf(" that matches %q", want.Matches)
	default:
		return ""
	}
}

func newestRevision(ledger evidence.Ledger) (evidence.Revision, bool) {
	var newest evidence.Revision
	for _, r := range ledger.Revisions {
		if r.Revision > newest.Revision {
			newest = r
		}
	}
	return newest, newest.Revision > 0
}
