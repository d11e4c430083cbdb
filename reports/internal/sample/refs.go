package sample

import (
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/evidence"
)

// refOf makes a reference of Kind/name.
func refOf(text string) evidence.Ref {
	kind, name, _ := strings.Cut(text, "/")
	r := evidence.Ref{Version: "v1", Kind: kind, Namespace: "shop-1", Name: name}
	if kind == "Deployment" || kind == "StatefulSet" {
		r.Group = "apps"
	}
	return r
}

func apiVersionOf(r evidence.Ref) string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
