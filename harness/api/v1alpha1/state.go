package v1alpha1

// RevokeAccess takes access away from the identity that Helm acts under.
type RevokeAccess struct {
	Verbs     []string `json:"verbs,omitempty" doc:"The verbs that Helm may not use any more, for example patch; all if empty. Creating by server-side apply takes patch and create."`
	Groups    []string `json:"groups,omitempty" doc:"The API groups, \"\" is the core group; every group if empty."`
	Resources []string `json:"resources,omitempty" doc:"The resources in the plural, subresources as deployments/scale; all if empty."`
	Names     []string `json:"names,omitempty" doc:"Only these objects. Access to others is granted name by name as of when it is injected: an object of these resources that appears later is refused as well, and so are requests that name none."`
}

// StickFinalizer puts a finalizer on an object that nobody removes.
type StickFinalizer struct {
	Object string `json:"object" required:"true" format:"ref" doc:"The object, as Kind/name; it must exist when the fault is injected."`
}

// TerminateNamespace deletes the release's namespace, and holds it in Terminating.
type TerminateNamespace struct{}

// ReleaseSecret breaks one of Helm's records of the release.
type ReleaseSecret struct {
	Revision int    `json:"revision,omitempty" min:"1" doc:"The revision whose record breaks; the newest if empty."`
	Becomes  string `json:"becomes" required:"true" enum:"deleted,badBase64,badGzip,badJSON,duplicated,tooLarge" doc:"What becomes of it. duplicated: there is a copy under another name. tooLarge: it is as large as a Secret may be, and whatever Helm writes of it next is larger."`
}

// LeftoverHook leaves a hook's Job behind, as an earlier run of Helm would that did not clean up.
type LeftoverHook struct {
	Hook         string         `json:"hook,omitempty" format:"ref" doc:"A hook of the newest stored revision, as Job/name: the Job is made from its manifest."`
	Job          map[string]any `json:"job,omitempty" doc:"The manifest of the Job instead."`
	FieldManager string         `json:"fieldManager,omitempty" default:"helm" doc:"The field manager that the Job is applied under."`
}
