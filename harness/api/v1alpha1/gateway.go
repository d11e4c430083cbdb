package v1alpha1

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// Mistakes says what is wrong with a match, by field.
func (m Match) Mistakes() map[string]string {
	all := map[string]string{}
	if m.Probability > 100 {
		all["probability"] = "is more than 100 percent"
	}
	if star := strings.Index(m.Name, "*"); star >= 0 && star < len(m.Name)-1 {
		all["name"] = "has a * that is not at its end"
	}
	return all
}

// API disturbs requests of Helm on their way to the API server and back.
type API struct {
	Match   Match            `json:"match,omitempty" doc:"The requests; any if empty."`
	Count   *int             `json:"count,omitempty" default:"1" min:"0" doc:"How many of them it takes effect on; 0: all."`
	For     *metav1.Duration `json:"for,omitempty" doc:"How long it goes on to take effect after the first one; until it recovers if empty."`
	Latency *metav1.Duration `json:"latency,omitempty" doc:"Holds them back for so long. With respond or break, that comes first."`
	Respond *APIResponse     `json:"respond,omitempty" doc:"Answered by this instead of by the API server, which never sees them."`
	Break   string           `json:"break,omitempty" enum:"reset,tls,hang,lose,cut,stall,truncate,dropWatch,resetWatch,stallWatch,expireWatch" doc:"What breaks. Before the API server sees the request: reset (the connection), tls (the connection, by what is no TLS), hang (no answer until the fault recovers). After it has done what was asked: lose (the connection is reset, no answer), cut and stall (the answer ends, or stays, half way). truncate: the second half of a list's items is missing. dropWatch, resetWatch, stallWatch and expireWatch: after some events a watch ends, loses its connection with all that is under way on it, falls silent, or gets a 410 Gone."`
	Events  int              `json:"events,omitempty" min:"0" doc:"How many events of a watch pass before it breaks."`
}

// APIResponse is an answer that refuses.
type APIResponse struct {
	Status     int              `json:"status" required:"true" min:"400" doc:"The HTTP status: 409, 429, 500, 503 or any other that refuses."`
	Message    string           `json:"message,omitempty" doc:"The message; what an API server says if empty."`
	RetryAfter *metav1.Duration `json:"retryAfter,omitempty" doc:"Says when to try again, in whole seconds."`
}

// Requests states how many requests of a kind Helm sent.
type Requests struct {
	At       string `json:"at,omitempty" format:"step" doc:"Only requests that came during this step; those of the whole run if empty."`
	Verb     string `json:"verb,omitempty" enum:"get,list,watch,create,update,patch,delete,deletecollection,write" doc:"What they do; write: any of create, update, patch, delete and deletecollection that is no dry run."`
	Group    string `json:"group,omitempty" doc:"The API group, for example apps; core is the one that has no name."`
	Resource string `json:"resource,omitempty" doc:"The resource in the plural, for example deployments; its subresources count too."`
	Name     string `json:"name,omitempty" bare:"true" doc:"The object's name; * at its end stands for any rest."`
	Manager  string `json:"manager,omitempty" doc:"The field manager that they state."`
	Force    *bool  `json:"force,omitempty" doc:"Whether they take fields from other managers."`
	DryRun   *bool  `json:"dryRun,omitempty" doc:"Whether they are dry runs."`
	Status   int    `json:"status,omitempty" min:"100" doc:"The HTTP status that Helm got."`
	Min      *int   `json:"min,omitempty" min:"0" doc:"The fewest that must be seen; 1 if neither min nor max is stated, else 0."`
	Max      *int   `json:"max,omitempty" min:"0" doc:"The most that may be seen; 0: none."`
}
