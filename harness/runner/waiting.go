package runner

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rehearse.dev/rehearse/harness/observe"
)

const (
	// waitingEvery is how often a user is told what a step waits for. A step that takes less needs no telling.
	waitingEvery = time.Second
	// waitingFor is how many objects are named.
	waitingFor = 3
)

// tellWaiting tells what the cluster has not come to yet, until stop is called.
func (s *stage) tellWaiting(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		every := time.NewTicker(waitingEvery)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			if text := waitingText(s.watching.Unfinished()); text != "" {
				s.tell.WaitingFor(s.redactor.Text(text))
			}
		}
	}()
	return func() { cancel(); <-done }
}

// waitingText names the objects that are waited for, the first ones only; it is empty if there are none.
func waitingText(all []observe.Unfinished) string {
	if len(all) == 0 {
		return ""
	}
	var named []string
	for _, u := range all[:min(len(all), waitingFor)] {
		why := u.Message
		if why == "" {
			why = u.Status
		}
		named = append(named, fmt.Sprintf("%s (%s)", u.Ref, why))
	}
	text := "awaits " + strings.Join(named, ", ")
	if more := len(all) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
