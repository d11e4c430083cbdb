package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Requests counts what Helm asked of the API server.
type Requests struct {
	Total int `json:"total"`
	// ByVerb counts them by the API server's verb, or the HTTP method of those that are about no resource.
	ByVerb map[string]int `json:"byVerb"`
	// Refused were answered by an error, but for 404: Helm asks for much that need not be there.
	Refused int `json:"refused"`
	// Unanswered got no answer at all.
	Unanswered int `json:"unanswered"`
	// Faulted are those that a fault did something to.
	Faulted int `json:"faulted"`
}

// Plus is the sum of both. Nil stands for nothing known.
func (r *Requests) Plus(more *Requests) *Requests {
	switch {
	case r == nil:
		return more
	case more == nil:
		return r
	}
	sum := &Requests{
		Total: r.Total + more.Total, ByVerb: maps.Clone(r.ByVerb), Refused: r.Refused + more.Refused,
		Unanswered: r.Unanswered + more.Unanswered, Faulted: r.Faulted + more.Faulted,
	}
	if sum.ByVerb == nil {
		sum.ByVerb = map[string]int{}
	}
	for verb, n := range more.ByVerb {
		sum.ByVerb[verb] += n
	}
	return sum
}

// String is, for example, "12 (get 8, patch 4), refused: 1"; what there was none of is left out.
func (r *Requests) String() string {
	if r == nil {
		return ""
	}
	verbs := slices.SortedFunc(maps.Keys(r.ByVerb), func(a, b string) int {
		return cmp.Or(r.ByVerb[b]-r.ByVerb[a], strings.Compare(a, b))
	})
	for i, verb := range verbs {
		verbs[i] = fmt.Sprintf("%s %d", verb, r.ByVerb[verb])
	}
	text := fmt.Sprint(r.Total)
	if len(verbs) > 0 {
		text += " (" + strings.Join(verbs, ", ") + ")"
	}
	for _, part := range []struct {
		what string
		n    int
	}{{"refused", r.Refused}, {"unanswered", r.Unanswered}, {"touched by a fault", r.Faulted}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %s: %d", part.what, part.n)
		}
	}
	return text
}

// Requests sums up what Helm asked in all variants; nil if that is known of none.
func (r Run) Requests() *Requests {
	var sum *Requests
	for _, v := range r.Variants {
		sum = sum.Plus(v.Requests)
	}
	return sum
}
