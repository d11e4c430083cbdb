package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// headerTimeout ends connections on which nobody asks anything.
	headerTimeout = 10 * time.Second
	// closeTimeout bounds how long requests under way are waited for; those that hang do not end.
	closeTimeout = 100 * time.Millisecond
)

func listenAndServe(ctx context.Context, c config, _ []string, log *slog.Logger) int {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", c.listen)
	if err != nil {
		log.Error("cannot listen", "error", err)
		return exitFailed
	}
	log.Info("serving", "address", listener.Addr().String())
	return serve(ctx, c, listener, log)
}

// service is what serve runs.
type service struct {
	config config
	state  *state
	server *http.Server
	log    *slog.Logger
}

// serve answers until ctx ends or the state does, and returns the exit code.
func serve(ctx context.Context, c config, listener net.Listener, log *slog.Logger) int {
	s := &service{config: c, state: newState(c, time.Now()), log: log}
	s.server = &http.Server{Handler: newHandler(c, s.state, log), ReadHeaderTimeout: headerTimeout}
	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // what is logged goes on while it drains
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	defer func() { _ = s.server.Close() }() // nothing is left to be lost
	group.Go(func() { s.state.watch(background, log) })
	broken := make(chan error, 1)
	group.Go(func() { broken <- s.server.Serve(listener) })
	select {
	case err := <-broken:
		log.Error("cannot serve", "error", err)
		return exitFailed
	case e := <-s.state.ended:
		if e.crash {
			log.Error("crashing", "code", e.code)
			return e.code
		}
		return s.drain(background, e.code)
	case <-ctx.Done():
		return s.drain(background, exitDone)
	}
}

// drain ends as a good server does: no longer ready, it answers for a while, then finishes what is under way.
func (s *service) drain(ctx context.Context, code int) int {
	s.log.Info("ending", "after", s.config.drain, "code", code)
	s.state.update(func(s *state, _ time.Time) { s.draining = true })
	if s.config.drain > 0 {
		select {
		case e := <-s.state.ended:
			code = e.code
		case <-time.After(s.config.drain):
		}
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.log.Warn("ending with requests under way", "error", err)
	}
	return code
}
