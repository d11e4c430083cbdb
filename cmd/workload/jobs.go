package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// migrate is a job that succeeds after some time.
func migrate(ctx context.Context, c config, _ []string, log *slog.Logger) int {
	log.Info("migrating", "for", c.migrateFor)
	select {
	case <-ctx.Done():
		log.Error("told to end before the migration was done")
		return exitTerminated
	case <-time.After(c.migrateFor):
		log.Info("migrated")
		return exitDone
	}
}

// fail is a job that fails.
func fail(_ context.Context, _ config, _ []string, log *slog.Logger) int {
	log.Error("failing, as told")
	return exitFailed
}

const (
	checkEvery   = 200 * time.Millisecond
	checkTimeout = 2 * time.Second
)

// check is a job that succeeds once a URL answers 200.
func check(ctx context.Context, c config, args []string, log *slog.Logger) int {
	return checkWith(ctx, checking{url: args[0], client: newClient(), limit: c.checkFor}, log)
}

// newClient returns a client that makes a connection for each question, as the kubelet does for its probes. A node sends
// all of a connection where it sent its beginning: while kube-proxy writes the rules of a new Service that may be anywhere.
func newClient() *http.Client {
	return &http.Client{Timeout: checkTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
}

// checking is what is asked, by whom and for how long.
type checking struct {
	url    string
	client *http.Client
	limit  time.Duration
}

func checkWith(ctx context.Context, c checking, log *slog.Logger) int {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	said := ""
	for {
		answer, ok := c.ask(limited)
		if answer != said && limited.Err() == nil {
			log.Info("asked", "url", c.url, "answer", answer)
			said = answer
		}
		if ok {
			return exitDone
		}
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				log.Error("told to end before the check was done", "answer", said)
				return exitTerminated
			}
			log.Error("gave up", "url", c.url, "after", c.limit, "answer", said)
			return exitFailed
		case <-ticker.C:
		}
	}
}

// ask asks once and returns what the answer was.
func (c checking) ask(ctx context.Context) (answer string, ok bool) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return err.Error(), false
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err.Error(), false
	}
	defer func() { _ = response.Body.Close() }() // the status is all that counts
	body, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err != nil {
		return err.Error(), false
	}
	return fmt.Sprintf("%s: %s", response.Status, bytes.TrimSpace(body)), response.StatusCode == http.StatusOK
}
