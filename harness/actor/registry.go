package actor

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rehearse.dev/rehearse/harness/registry"
)

// Code is what a kind of actor does: it makes a write out of a spec. The write is made once and sent as often as wanted.
type Code struct {
	prepare func(spec any) (write, error)
}

// write is one write to the cluster, ready to be sent.
type write struct {
	target target
	// send returns the object as far as it came to see it, also beside an error.
	send func(ctx context.Context, o object) (*unstructured.Unstructured, error)
}

// Registry is the one list of what an actor can do.
func Registry() registry.Registry[Code] {
	return registry.New("actor",
		scaleEntry(),
		editEntry(),
		patchEntry(),
		applyEntry(),
		deleteEntry(),
		createEntry(),
	)
}

// code adapts a function of a concrete spec type to an entry's code.
func code[S any](prepare func(spec *S) (write, error)) Code {
	return Code{prepare: func(spec any) (write, error) {
		typed, ok := spec.(*S)
		if !ok {
			return write{}, fmt.Errorf("its spec is a %T, not a %T", spec, typed)
		}
		return prepare(typed)
	}}
}

// validated adapts a validation of a concrete spec type to an entry's.
func validated[S any](check func(spec *S) []registry.Problem) func(any) []registry.Problem {
	return func(spec any) []registry.Problem {
		if typed, ok := spec.(*S); ok {
			return check(typed)
		}
		return nil
	}
}
