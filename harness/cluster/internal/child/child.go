// Package child runs programs of others, which end with this process, however that ends.
package child

import (
	"context"
	"io"
	"os"
	"time"

	"rehearse.dev/rehearse/harness/lifeline"
)

// reportEvery is how often a long command says how far it is.
const reportEvery = 5 * time.Second

// Command is one call of a program.
type Command struct {
	// Path is the program's, and Args are its arguments.
	Path string
	Args []string
	// Dir is where it runs; empty means where this process does.
	Dir string
	// Env is set beside this process's own.
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Report is called every few seconds while it runs, and no more once Run has returned; nil is not called.
	Report func()
}

// Run runs the program. It and all its children are gone once ctx ends or this process does; the error is ctx's cause then.
func (c Command) Run(ctx context.Context) error {
	line, err := lifeline.New()
	if err != nil {
		return err
	}
	defer line.Close()
	cmd := line.Command(ctx, c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	if c.Report != nil {
		defer every(reportEvery, c.Report)()
	}
	err = cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// every calls do at an interval until the returned function is called, which waits for a call under way.
func every(interval time.Duration, do func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				do()
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
