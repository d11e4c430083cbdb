package assert

import (
	"net/http"

	"rehearse.dev/rehearse/harness/evidence"
	"rehearse.dev/rehearse/harness/verdict"
)

// Traffic counts the requests of Helm in a bundle; nil if it holds none.
func Traffic(b *evidence.Bundle) *verdict.Requests {
	var sum *verdict.Requests
	for _, e := range b.Timeline {
		if e.Request == nil {
			continue
		}
		if sum == nil {
			sum = &verdict.Requests{ByVerb: map[string]int{}}
		}
		sum.Total++
		sum.ByVerb[e.Request.Verb]++
		switch status := e.Request.Status; {
		case status == 0:
			sum.Unanswered++
		case status >= http.StatusBadRequest && status != http.StatusNotFound:
			sum.Refused++
		}
		if len(e.Request.Faults) > 0 {
			sum.Faulted++
		}
	}
	return sum
}
