package gateway

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"rehearse.dev/rehearse/harness/evidence"
)

// parse reads what a request is about from its URL, as the API server does. Whoever calls it fills in what the body says.
func parse(r *http.Request) evidence.Request {
	query := r.URL.Query()
	req := evidence.Request{
		Verb: strings.ToLower(r.Method), PatchType: patchType(r),
		Manager: query.Get("fieldManager"), UserAgent: r.UserAgent(),
		Force: query.Get("force") == "true", DryRun: query.Has("dryRun"),
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) >= 3:
		req.Version, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) >= 4:
		req.Group, req.Version, parts = parts[1], parts[2], parts[3:]
	default:
		req.Path = r.URL.Path
		return req
	}
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
		req.Namespace, parts = parts[1], parts[2:]
	}
	req.Resource = parts[0]
	if len(parts) > 1 {
		req.Name = parts[1]
	}
	if len(parts) > 2 {
		req.Subresource = strings.Join(parts[2:], "/")
	}
	req.Verb = verbOf(r.Method, req.Name, query)
	if req.Name == "" {
		req.Name = selected(query.Get("fieldSelector"))
	}
	return req
}

func verbOf(method, name string, query url.Values) string {
	watch := query.Get("watch")
	switch method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodDelete:
		if name == "" {
			return "deletecollection"
		}
	case http.MethodGet, http.MethodHead:
		switch {
		case watch == "true" || watch == "1":
			return "watch"
		case name == "":
			return "list"
		}
		return "get"
	}
	return strings.ToLower(method)
}

// selected is the name that a field selector asks for; empty if it asks for none.
func selected(selector string) string {
	for _, part := range strings.Split(selector, ",") {
		if name, ok := strings.CutPrefix(part, "metadata.name="); ok {
			return strings.TrimPrefix(name, "=")
		}
	}
	return ""
}

// nameIn is the name of the object in the body of a request that makes it.
func nameIn(body []byte) string {
	var object struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if json.Unmarshal(body, &object) != nil {
		return "" // it is in another encoding
	}
	return object.Metadata.Name
}

// patchType is a media type without what all of them have in common.
func patchType(r *http.Request) string {
	if r.Method != http.MethodPatch {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Content-Type"), "application/"), "+json")
}
