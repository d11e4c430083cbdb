package assert

import (
	"cmp"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
)

// refOf reads an object's reference.
func refOf(o map[string]any) evidence.Ref {
	apiVersion, _ := o["apiVersion"].(string)
	group, version, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		group, version = "", apiVersion
	}
	kind, _ := o["kind"].(string)
	return evidence.Ref{
		Group: group, Version: version, Kind: kind,
		Namespace: metaText(o, "namespace"), Name: metaText(o, "name"), UID: metaText(o, "uid"),
	}
}

func metaText(o map[string]any, field string) string {
	meta, _ := o["metadata"].(map[string]any)
	text, _ := meta[field].(string)
	return text
}

func annotation(o map[string]any, key string) string {
	meta, _ := o["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	text, _ := annotations[key].(string)
	return text
}

// revision is a revision of a ledger; 0 means the newest.
func revision(l evidence.Ledger, number int) (evidence.Revision, bool) {
	var found evidence.Revision
	for _, rev := range l.Revisions {
		if number == rev.Revision || number == 0 && rev.Revision > found.Revision {
			found = rev
		}
	}
	return found, found.Revision > 0
}

// inSnapshot finds the live object of an object of a manifest, which may leave out the namespace.
func inSnapshot(s evidence.Snapshot, manifest map[string]any) map[string]any {
	want := refOf(manifest)
	for _, o := range s.Objects {
		if sameObject(want, refOf(o), s.Ledger.Namespace) {
			return o
		}
	}
	return nil
}

// sameName compares two live references, whatever their versions and UIDs.
func sameName(a, b evidence.Ref) bool {
	return a.Group == b.Group && a.Kind == b.Kind && a.Namespace == b.Namespace && a.Name == b.Name
}

// sameObject compares a reference from a manifest with a live one. home is the namespace that a manifest may omit, and
// a cluster-scoped object has none whatever its manifest says.
func sameObject(manifest, live evidence.Ref, home string) bool {
	if manifest.Group != live.Group || manifest.Kind != live.Kind || manifest.Name != live.Name {
		return false
	}
	return live.Namespace == "" || live.Namespace == cmp.Or(manifest.Namespace, home)
}
