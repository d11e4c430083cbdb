package v1alpha1

import (
	"encoding/json"
	"fmt"
)

// MarshalJSON writes the step as a scenario file would: the operation's name is a key beside the step's own.
func (s Step) MarshalJSON() ([]byte, error) {
	type fields Step
	return inline(struct {
		fields
		Do *Choice `json:",omitempty"` // hides the embedded Do
	}{fields: fields(s)}, s.Do)
}

// MarshalJSON writes the actor as a scenario file would: what it does is a key beside the actor's own.
func (a Actor) MarshalJSON() ([]byte, error) {
	type fields Actor
	return inline(struct {
		fields
		Do *Choice `json:",omitempty"`
	}{fields: fields(a)}, a.Do)
}

// MarshalJSON writes the fault as a scenario file would: what breaks is a key beside the fault's own.
func (f Fault) MarshalJSON() ([]byte, error) {
	type fields Fault
	return inline(struct {
		fields
		Do *Choice `json:",omitempty"`
	}{fields: fields(f)}, f.Do)
}

// MarshalJSON writes the assertion as a scenario file would: its kind is a key beside its own.
func (a Assertion) MarshalJSON() ([]byte, error) {
	type fields Assertion
	return inline(struct {
		fields
		Do *Choice `json:",omitempty"`
	}{fields: fields(a)}, a.Do)
}

// MarshalJSON writes the choice as an object of its one key.
func (c Choice) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{c.Kind: c.Spec})
}

// inline adds the choice's one key to the object that surrounds it.
func inline(surrounding any, c Choice) ([]byte, error) {
	outer, err := json.Marshal(surrounding)
	if err != nil {
		return nil, err
	}
	inner, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Kind, err)
	}
	if string(outer) == "{}" {
		return inner, nil
	}
	// Both are objects: {outer} and {inner} make {outer,inner}.
	return append(append(outer[:len(outer)-1], ','), inner[1:]...), nil
}
