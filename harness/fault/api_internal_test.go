package fault

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/wire"
)

// trapFor makes a trap on a clock of the test's own, and returns where its firings go.
func trapFor(spec v1alpha1.API, seed int64, now *time.Time) (*trap, *[]string) {
	var fired []string
	return &trap{
		spec: &spec, fault: "f", matcher: newMatcher(spec.Match, seed, "f"), now: func() time.Time { return *now },
		fired: func(_ evidence.Request, detail string) { fired = append(fired, detail) },
	}, &fired
}

// happen does what a gateway does with an action, and reports whether there was one.
func happen(a *wire.Action) bool {
	if a == nil {
		return false
	}
	if a.Before != nil {
		a.Before(context.Background())
	}
	if a.Response != nil && a.Response.Done != nil {
		a.Response.Done()
	}
	return true
}

func TestTrapLimits(t *testing.T) {
	t.Parallel()
	count := func(n int) *int { return &n }
	for name, test := range map[string]struct {
		spec v1alpha1.API
		want string // of five requests, a second apart, which are disturbed
	}{
		"once":            {v1alpha1.API{}, "1"},
		"twice":           {v1alpha1.API{Count: count(2)}, "12"},
		"always":          {v1alpha1.API{Count: count(0)}, "12345"},
		"from the third":  {v1alpha1.API{Count: count(0), Match: v1alpha1.Match{Nth: 3}}, "345"},
		"the third":       {v1alpha1.API{Match: v1alpha1.Match{Nth: 3}}, "3"},
		"for two seconds": {v1alpha1.API{Count: count(0), Match: v1alpha1.Match{Nth: 2}, For: &metav1.Duration{Duration: 2 * time.Second}}, "234"},
	} {
		test.spec.Break = breakReset
		now := time.Unix(0, 0)
		trap, fired := trapFor(test.spec, 1, &now)
		got := ""
		for i := 1; i <= 5; i++ {
			if happen(trap.Intercept(patchOf("web"))) {
				got += strconv.Itoa(i)
			}
			now = now.Add(time.Second)
		}
		if got != test.want || len(*fired) != len(got) {
			t.Errorf("%s: disturbed %s, fired %d times, want %s", name, got, len(*fired), test.want)
		}
	}
}

// TestTrapReplays: the same seed gives the same firings in the same order, twenty times out of twenty.
func TestTrapReplays(t *testing.T) {
	t.Parallel()
	all := 0
	run := func(seed int64) []string {
		now := time.Unix(0, 0)
		trap, fired := trapFor(v1alpha1.API{Count: &all, Match: v1alpha1.Match{Verb: "write", Probability: 50}, Respond: &v1alpha1.APIResponse{Status: 500}}, seed, &now)
		for i := range 40 {
			happen(trap.Intercept(patchOf("web-" + strconv.Itoa(i%20))))
		}
		return *fired
	}
	want := run(42)
	if len(want) == 0 || slices.Equal(want, run(43)) {
		t.Fatalf("%d firings, or the seed makes no difference", len(want))
	}
	for range 20 {
		if got := run(42); !slices.Equal(got, want) {
			t.Fatalf("fired %v, want %v", got, want)
		}
	}
}

// TestTrapFires: a fault of the answer fires when there is one to break, not before.
func TestTrapFires(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	for how, atOnce := range map[string]bool{
		breakReset: true, breakTLS: true, breakHang: true, breakLose: false, breakCut: false, breakStall: false, breakTruncate: false,
		breakDropWatch: false, breakResetWatch: false, breakStallWatch: false, breakExpireWatch: false,
	} {
		trap, fired := trapFor(v1alpha1.API{Break: how}, 1, &now)
		action := trap.Intercept(patchOf("web"))
		if action.By != "f" || (action.Answer != nil) != atOnce || (action.Response != nil) == atOnce {
			t.Errorf("%s: %+v", how, action)
		}
		if action.Before != nil {
			action.Before(t.Context())
		}
		if atOnce != (len(*fired) == 1) {
			t.Errorf("%s: fired %d times before there was an answer", how, len(*fired))
		}
		if !atOnce {
			action.Response.Done()
		}
		if want := "patch deployments/web: " + how; len(*fired) != 1 || (*fired)[0] != want {
			t.Errorf("%s: fired %q", how, *fired)
		}
	}
}

// TestResponses: each effect on an answer breaks it in a way of its own, and that on a watch after as many events as are stated.
func TestResponses(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]wire.Response{
		breakLose: {Break: wire.Reset, Lost: true}, breakCut: {Break: wire.Close}, breakStall: {Break: wire.Stall},
		breakDropWatch: {Break: wire.Close, Events: 3}, breakResetWatch: {Break: wire.Reset, Events: 3},
		breakStallWatch: {Break: wire.Stall, Events: 3}, breakExpireWatch: {Break: wire.Close, Events: 3},
	} {
		now := time.Unix(0, 0)
		trap, _ := trapFor(v1alpha1.API{Break: how, Events: 3}, 1, &now)
		got := trap.Intercept(patchOf("web")).Response
		if got.Break != want.Break || got.Lost != want.Lost || got.Events != want.Events || (len(got.Last) > 0) != (how == breakExpireWatch) {
			t.Errorf("%s: %+v", how, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		spec    v1alpha1.APIResponse
		reason  metav1.StatusReason
		message string
		after   string
	}{
		{v1alpha1.APIResponse{Status: 409}, metav1.StatusReasonConflict, `Operation cannot be fulfilled on deployments.apps "web": the object has been modified`, ""},
		{v1alpha1.APIResponse{Status: 429, RetryAfter: &metav1.Duration{Duration: 2 * time.Second}}, metav1.StatusReasonTooManyRequests, "the server has received too many requests", "2"},
		{v1alpha1.APIResponse{Status: 500}, metav1.StatusReasonInternalError, "Internal error occurred: ", ""},
		{v1alpha1.APIResponse{Status: 503}, metav1.StatusReasonServiceUnavailable, "the server is currently unable to handle the request", ""},
		{v1alpha1.APIResponse{Status: 403, Message: "no"}, metav1.StatusReasonForbidden, "no", ""},
	} {
		answer := refusal(&test.spec, patchOf("web"))
		var status metav1.Status
		if err := json.Unmarshal(answer.Body, &status); err != nil {
			t.Fatal(err)
		}
		if answer.Status != test.spec.Status || status.Kind != "Status" || int(status.Code) != test.spec.Status || status.Reason != test.reason || !strings.HasPrefix(status.Message, test.message) {
			t.Errorf("%d: %d %+v", test.spec.Status, answer.Status, status)
		}
		if got := answer.Header.Get("Retry-After"); got != test.after {
			t.Errorf("%d: Retry-After is %q", test.spec.Status, got)
		}
	}
}

func TestHalveList(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"items":[1,2,3],"kind":"List"}`: `{"items":[1],"kind":"List"}`,
		`{"items":[{"a":1}]}`:             `{"items":[]}`,
		`{"items":[]}`:                    "",
		`{"kind":"Pod"}`:                  "",
		`no JSON`:                         "",
	} {
		got, differs := halveList([]byte(body))
		if differs != (want != "") || differs && string(got) != want || !differs && string(got) != body {
			t.Errorf("%s: %s, %v", body, got, differs)
		}
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	all := kinds{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}: "Deployment"}
	for want, r := range map[evidence.Ref]evidence.Request{
		{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "ns", Name: "web"}: patchOf("web"),
		{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "ns", Name: "*"}:   patchOf(""),
		{Version: "v1", Kind: "widgets", Name: "w"}:                                      {Version: "v1", Resource: "widgets", Name: "w"},
		{Kind: "Path", Name: "/version"}:                                                 {Path: "/version"},
	} {
		if got := all.refOf(r); got != want {
			t.Errorf("%s is %+v", r, got)
		}
	}
}
