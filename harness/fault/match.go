package fault

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/plan"
	"rehearse.dev/rehearse/harness/registry"
)

// writes is what a Match's verb says for every write that is no dry run, coreGroup what its group says for the one
// without a name.
const (
	writes    = "write"
	coreGroup = "core"
)

// checkMatch tells what is wrong with the match at a path.
func checkMatch(path string, m v1alpha1.Match) []registry.Problem {
	var all []registry.Problem
	for field, message := range m.Mistakes() {
		all = append(all, registry.Problem{Path: path + "." + field, Message: message})
	}
	return all
}

// orWrite fits writes if it says nothing of verbs.
func orWrite(m v1alpha1.Match) v1alpha1.Match {
	m.Verb = cmp.Or(m.Verb, writes)
	return m
}

// matcher picks requests. What it picks depends on the requests' order as far as they are alike, and on the seed. It is
// not safe for concurrent use: a wire.Interceptor is asked for one request at a time.
type matcher struct {
	spec v1alpha1.Match
	seed int64
	name string // the fault's, so that two faults of a scenario do not draw alike
	fit  int
	// drawn counts requests that are alike, so that what is drawn for one does not depend on what came between.
	drawn map[string]int
}

func newMatcher(spec v1alpha1.Match, seed int64, name string) *matcher {
	return &matcher{spec: spec, seed: seed, name: name, drawn: map[string]int{}}
}

// picks counts a request if it fits, and tells whether it is one of those that are meant.
func (m *matcher) picks(r evidence.Request) bool {
	if !m.fits(r) {
		return false
	}
	m.fit++
	return m.fit >= m.spec.Nth && m.draw(r)
}

func (m *matcher) fits(r evidence.Request) bool {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	group := r.Group
	if group == "" && r.Resource != "" {
		group = coreGroup
	}
	return m.fitsVerb(r) && fitsName(m.spec.Name, r.Name) &&
		!slices.ContainsFunc([][2]string{
			{m.spec.Group, group}, {m.spec.Resource, resource}, {m.spec.Namespace, r.Namespace}, {m.spec.Manager, r.Manager},
		}, func(pair [2]string) bool { return pair[0] != "" && pair[0] != pair[1] })
}

func (m *matcher) fitsVerb(r evidence.Request) bool {
	switch m.spec.Verb {
	case "":
		return true
	case writes:
		return r.Writes()
	}
	return r.Verb == m.spec.Verb
}

func fitsName(want, name string) bool {
	if start, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(name, start)
	}
	return want == "" || want == name
}

// draw decides by chance. Namespaces differ from run to run, so they have no say in it.
func (m *matcher) draw(r evidence.Request) bool {
	if m.spec.Probability == 0 {
		return true
	}
	alike := []string{"match", m.name, r.Verb, r.Group, r.Resource, r.Subresource, r.Name, r.Path}
	key := strings.Join(alike, "\x00")
	m.drawn[key]++
	return plan.Rand(m.seed, append(alike, strconv.Itoa(m.drawn[key]))...).IntN(100) < m.spec.Probability
}
