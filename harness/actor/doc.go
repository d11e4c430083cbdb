// Package actor holds the co-owners that write to the cluster beside Helm: autoscalers, people with kubectl, GitOps
// controllers. Each writes under a field manager and a user agent of its own, and every write is evidence.
//
// A reference or manifest without a namespace means the scenario's. One that names another namespace is taken at its
// word, as are cluster-scoped objects: an actor is as powerful as the configuration that its troupe was given. Who gave it
// cleans up what it makes; what it changes of objects that were there before stays changed.
package actor
