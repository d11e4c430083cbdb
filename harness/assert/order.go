package assert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/ref"
)

const (
	dependsOnAnnotation = "config.kubernetes.io/depends-on"
	groupAnnotation     = "helm.sh/resource-group"
	dependsOnGroups     = "helm.sh/depends-on/resource-groups"
)

// annotatedPairs reads an order from the objects of the newest revision's manifest: from the manifest, since an API
// server refuses HIP-0025's key with its two slashes and Helm may take it away.
func annotatedPairs(s evidence.Snapshot, from string, r *Result) []pair {
	rev, ok := revision(s.Ledger, 0)
	if !ok {
		r.miss("there is no revision at the end of step %q whose annotations could state an order", s.Step)
		return nil
	}
	var pairs []pair
	if from == "hip0025" {
		pairs = groupPairs(rev.Manifest, s.Ledger.Namespace, r)
	} else {
		pairs = dependencyPairs(rev.Manifest, s.Ledger.Namespace, r)
	}
	if len(pairs) == 0 && len(r.Missing) == 0 {
		r.miss("no object of revision %d has annotations that state an order (%s)", rev.Revision, from)
	}
	return closed(pairs)
}

// closed adds what follows from pairs: what comes after something comes after all that this comes after, also in a step
// that leaves the one between them alone.
func closed(pairs []pair) []pair {
	stated := map[[2]string]bool{}
	for _, p := range pairs {
		stated[[2]string{p.first.id, p.then.id}] = true
	}
	for i := 0; i < len(pairs); i++ { // the list grows
		for _, next := range pairs {
			key := [2]string{pairs[i].first.id, next.then.id}
			if pairs[i].then.id == next.first.id && key[0] != key[1] && !stated[key] {
				stated[key] = true
				pairs = append(pairs, pair{pairs[i].first, next.then})
			}
		}
	}
	return pairs
}

// nameFrom is how a scenario in home would refer to an object.
func nameFrom(home string, r evidence.Ref) string {
	if r.Namespace == "" || r.Namespace == home {
		return r.String()
	}
	return ref.Ref{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}.String()
}

func manifestTarget(o map[string]any, home string) target {
	want := refOf(o)
	return target{text: nameFrom(home, want), id: want.Group + " " + nameFrom(home, want), fits: func(live evidence.Ref) bool { return sameObject(want, live, home) }}
}

func dependencyPairs(manifest []map[string]any, home string, r *Result) []pair {
	var pairs []pair
	for _, o := range manifest {
		text := annotation(o, dependsOnAnnotation)
		if text == "" {
			continue
		}
		for item := range strings.SplitSeq(text, ",") {
			want, err := parseDependency(item)
			if err != nil {
				r.miss("%s: annotation %s: %v", refOf(o), dependsOnAnnotation, err)
				continue
			}
			first := target{text: nameFrom(home, want), id: want.Group + " " + nameFrom(home, want), fits: func(live evidence.Ref) bool {
				return live.Group == want.Group && live.Kind == want.Kind && live.Namespace == want.Namespace && live.Name == want.Name
			}}
			pairs = append(pairs, pair{first, manifestTarget(o, home)})
		}
	}
	return pairs
}

// parseDependency reads one reference of depends-on as cli-utils does: group/kind/name, or
// group/namespaces/namespace/kind/name.
func parseDependency(text string) (evidence.Ref, error) {
	parts := strings.Split(strings.TrimSpace(text), "/")
	switch {
	case len(parts) == 3:
		return evidence.Ref{Group: parts[0], Kind: parts[1], Name: parts[2]}, nil
	case len(parts) == 5 && parts[1] == "namespaces":
		return evidence.Ref{Group: parts[0], Namespace: parts[2], Kind: parts[3], Name: parts[4]}, nil
	}
	return evidence.Ref{}, fmt.Errorf("%q is neither group/kind/name nor group/namespaces/namespace/kind/name", text)
}

// groupPairs reads HIP-0025: every object of a group comes after every object of the groups that it depends on.
func groupPairs(manifest []map[string]any, home string, r *Result) []pair {
	members := map[string][]map[string]any{}
	needs := map[string][]string{}
	for _, o := range manifest {
		group := annotation(o, groupAnnotation)
		if group == "" {
			continue
		}
		members[group] = append(members[group], o)
		text := annotation(o, dependsOnGroups)
		if text == "" {
			continue
		}
		var groups []string
		if err := json.Unmarshal([]byte(text), &groups); err != nil {
			r.miss("%s: annotation %s is no JSON list of groups: %s", refOf(o), dependsOnGroups, text)
		}
		needs[group] = append(needs[group], groups...)
	}
	var pairs []pair
	for _, group := range slices.Sorted(maps.Keys(needs)) {
		for _, before := range slices.Compact(slices.Sorted(slices.Values(needs[group]))) {
			if len(members[before]) == 0 {
				r.miss("group %q depends on group %q, which has no objects", group, before)
			}
			for _, first := range members[before] {
				for _, then := range members[group] {
					pairs = append(pairs, pair{manifestTarget(first, home), manifestTarget(then, home)})
				}
			}
		}
	}
	return pairs
}
