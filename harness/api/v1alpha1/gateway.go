package v1alpha1

// Match says which of Helm's requests to the API server are meant. Empty fields fit any.
type Match struct {
	Verb        string `json:"verb,omitempty" enum:"get,list,watch,create,update,patch,delete,deletecollection,write" doc:"What the request does; write: any of create, update, patch, delete and deletecollection that is no dry run."`
	Group       string `json:"group,omitempty" doc:"The API group, for example apps; core is the one that has no name."`
	Resource    string `json:"resource,omitempty" doc:"The resource in the plural, for example deployments, or one of its subresources: deployments/scale."`
	Namespace   string `json:"namespace,omitempty" doc:"The object's namespace."`
	Name        string `json:"name,omitempty" bare:"true" doc:"The object's name; * at its end stands for any rest."`
	Manager     string `json:"manager,omitempty" doc:"The field manager that the request states."`
	Nth         int    `json:"nth,omitempty" min:"0" doc:"The n-th that fits, and those after it, counted from 1 since the fault was injected; all if 0."`
	Probability int    `json:"probability,omitempty" min:"0" doc:"How likely each of them is to be chosen, in percent, by the scenario's seed: the k-th request about an object is chosen in every run with that seed, or in none. All are if 0."`
}
