package v1alpha1

// Scale writes replicas through the scale subresource, as an autoscaler does.
type Scale struct {
	Workload string `json:"workload" required:"true" format:"ref" doc:"The workload, as Kind/name."`
	Replicas int32  `json:"replicas" required:"true" min:"0" doc:"The number of replicas."`
}

// Edit reads an object, merges fields into it and writes it back whole (an Update), as kubectl edit does.
type Edit struct {
	Object string         `json:"object" required:"true" format:"ref" doc:"The object, as Kind/name."`
	Merge  map[string]any `json:"merge" required:"true" doc:"Fields to set (JSON merge patch, computed on the client; null removes a field)."`
}

// Patch sends a patch.
type Patch struct {
	Object      string `json:"object" required:"true" format:"ref" doc:"The object, as Kind/name."`
	Type        string `json:"type,omitempty" enum:"strategic,merge,json" default:"strategic" doc:"The patch's type. Custom resources know no strategic patch."`
	Subresource string `json:"subresource,omitempty" doc:"The subresource it goes to, for example status."`
	Patch       any    `json:"patch" required:"true" doc:"The patch."`
}

// Apply sends a server-side apply.
type Apply struct {
	Manifest map[string]any `json:"manifest" required:"true" doc:"The object, with the fields that the actor wants to own."`
	Force    bool           `json:"force,omitempty" doc:"Take conflicting fields."`
}

// Delete deletes an object.
type Delete struct {
	Object      string `json:"object" required:"true" format:"ref" doc:"The object, as Kind/name."`
	Propagation string `json:"propagation,omitempty" enum:"Background,Foreground,Orphan" default:"Background" doc:"What happens to the objects it owns."`
}

// Create creates an object.
type Create struct {
	Manifest map[string]any `json:"manifest" required:"true" doc:"The object."`
}
