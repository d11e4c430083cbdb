package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/wire"
)

// trap decides which requests are disturbed, and how. It is asked for one request at a time.
type trap struct {
	spec    *v1alpha1.API
	fault   string
	matcher *matcher
	now     func() time.Time
	fired   func(evidence.Request, string)
	sprung  int
	since   time.Time
}

// Intercept implements wire.Interceptor.
func (t *trap) Intercept(r evidence.Request) *wire.Action {
	if !t.matcher.picks(r) {
		return nil
	}
	count := 1
	if t.spec.Count != nil {
		count = *t.spec.Count
	}
	if count > 0 && t.sprung >= count {
		return nil
	}
	now := t.now()
	if t.sprung > 0 && t.spec.For != nil && now.Sub(t.since) > t.spec.For.Duration {
		return nil
	}
	if t.sprung == 0 {
		t.since = now
	}
	t.sprung++
	return t.action(r)
}

// action is what happens to a request. It counts as a firing when it happens: an answer of the API server can only break
// once there is one.
func (t *trap) action(r evidence.Request) *wire.Action {
	fire := func(what string) func() { return func() { t.fired(r, r.String()+": "+what) } }
	a := &wire.Action{By: t.fault}
	if t.spec.Latency != nil {
		a.Delay = t.spec.Latency.Duration
	}
	at := func(what string) { a.Before = func(context.Context) { fire(what)() } }
	switch how := t.spec.Break; {
	case t.spec.Respond != nil:
		a.Answer = refusal(t.spec.Respond, r)
		at(fmt.Sprintf("answered %d", a.Answer.Status))
	case slices.Contains([]string{breakReset, breakTLS, breakHang}, how):
		a.Answer = &wire.Answer{Break: map[string]wire.Break{breakReset: wire.Reset, breakTLS: wire.TLS, breakHang: wire.Stall}[how]}
		at(how)
	case how != "":
		a.Response = t.response(how)
		a.Response.Done = fire(how)
	default:
		at("held back for " + a.Delay.String())
	}
	return a
}

func (t *trap) response(how string) *wire.Response {
	switch how {
	case breakLose:
		return &wire.Response{Break: wire.Reset, Lost: true}
	case breakCut:
		return &wire.Response{Break: wire.Close}
	case breakStall:
		return &wire.Response{Break: wire.Stall}
	case breakTruncate:
		return &wire.Response{Edit: halveList}
	case breakResetWatch:
		return &wire.Response{Break: wire.Reset, Events: t.spec.Events}
	case breakStallWatch:
		return &wire.Response{Break: wire.Stall, Events: t.spec.Events}
	case breakExpireWatch:
		gone := apierrors.NewResourceExpired("too old resource version").ErrStatus
		gone.TypeMeta = statusType
		last, _ := json.Marshal(map[string]any{"type": "ERROR", "object": gone}) // a Status always encodes
		return &wire.Response{Break: wire.Close, Events: t.spec.Events, Last: append(last, '\n')}
	}
	return &wire.Response{Break: wire.Close, Events: t.spec.Events}
}

var statusType = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}

// refusal is an answer as an API server words it.
func refusal(spec *v1alpha1.APIResponse, r evidence.Request) *wire.Answer {
	after := 0
	if spec.RetryAfter != nil {
		after = int(spec.RetryAfter.Seconds())
	}
	resource := schema.GroupResource{Group: r.Group, Resource: r.Resource}
	status := apierrors.NewGenericServerResponse(spec.Status, r.Verb, resource, r.Name, spec.Message, after, false).ErrStatus
	switch {
	case spec.Message != "":
		status.Message = spec.Message
	case spec.Status == http.StatusInternalServerError:
		status = apierrors.NewInternalError(errors.New("a fault of the rehearsal")).ErrStatus
	case spec.Status == http.StatusConflict && r.Resource != "":
		busy := errors.New("the object has been modified; please apply your changes to the latest version and try again")
		status = apierrors.NewConflict(resource, r.Name, busy).ErrStatus
	}
	if after > 0 && status.Details != nil {
		status.Details.RetryAfterSeconds = int32(after)
	}
	status.TypeMeta = statusType
	body, _ := json.Marshal(status) // a Status always encodes
	header := http.Header{"Content-Type": {"application/json"}}
	if after > 0 {
		header.Set("Retry-After", strconv.Itoa(after))
	}
	return &wire.Answer{Status: spec.Status, Header: header, Body: body}
}

// halveList leaves out the second half of a list, as if the rest had never come.
func halveList(body []byte) ([]byte, bool) {
	var list map[string]json.RawMessage
	var items []json.RawMessage
	if json.Unmarshal(body, &list) != nil || json.Unmarshal(list["items"], &items) != nil || len(items) == 0 {
		return body, false
	}
	half, err := json.Marshal(items[:len(items)/2])
	if err != nil {
		return body, false
	}
	list["items"] = half
	edited, err := json.Marshal(list)
	if err != nil {
		return body, false
	}
	return edited, true
}
