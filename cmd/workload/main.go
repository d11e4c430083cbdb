// Command workload is what fixture charts run in real containers: a database, a backend, a frontend, a migration job. It
// becomes ready after a delay, flaps, fails, crashes and exits, as its environment says or an HTTP call tells it to.
//
// It uses the standard library alone, because its sources travel as text and are built wherever rehearse runs.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitTerminated = 128 + int(syscall.SIGTERM) // a job that was told to end before it was done
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	p := program{args: os.Args[1:], environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}
	code := p.run(ctx)
	stop()
	os.Exit(code)
}

// command is one thing that the program can be.
type command struct {
	name, form, about string
	// takes says what is wrong with the arguments; nil stands for a command that takes none.
	takes func(args []string) error
	run   func(ctx context.Context, c config, args []string, log *slog.Logger) int
}

// commands is the one list of them: usage, checks and dispatch come from here.
func commands() []command {
	return []command{
		{name: "serve", about: "answers /readyz and /healthz until it is told to end", run: listenAndServe},
		{name: "migrate", about: "a job that succeeds", run: migrate},
		{name: "fail", about: "a job that fails", run: fail},
		{name: "check", form: "URL", about: "a job that succeeds once URL answers 200", takes: oneURL, run: check},
	}
}

func oneURL(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("check takes one URL, not %d arguments", len(args))
	}
	u, err := url.Parse(args[0])
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("check: %q is no URL such as http://frontend:8080/readyz", args[0])
	}
	return nil
}

// program is one call of the program, apart from main so that tests can make it.
type program struct {
	args, environ  []string
	stdout, stderr io.Writer
}

func (p program) run(ctx context.Context) int {
	c, problems := parseEnviron(p.environ)
	chosen, err := choose(p.args)
	if problems = append(problems, err); errors.Join(problems...) != nil {
		for line := range strings.Lines(errors.Join(problems...).Error()) {
			fmt.Fprintln(p.stderr, "workload: "+strings.TrimSpace(line))
		}
		fmt.Fprint(p.stderr, "\n"+usage())
		return exitUsage
	}
	log := slog.New(slog.NewTextHandler(p.stdout, nil)).With("part", cmp.Or(c.part, chosen.name), "tag", c.tag)
	return chosen.run(ctx, c, p.args[1:], log)
}

func choose(args []string) (command, error) {
	if len(args) == 0 {
		return command{}, errors.New("no command")
	}
	for _, c := range commands() {
		switch {
		case c.name != args[0]:
		case c.takes != nil:
			return c, c.takes(args[1:])
		case len(args) > 1:
			return c, fmt.Errorf("%s takes no arguments, not %q", c.name, args[1:])
		default:
			return c, nil
		}
	}
	return command{}, fmt.Errorf("no command %q", args[0])
}

func usage() string {
	var b strings.Builder
	line := func(what, about string) { fmt.Fprintf(&b, "  %-46s %s\n", what, about) }
	b.WriteString("usage: workload COMMAND\n\ncommands:\n")
	for _, c := range commands() {
		line(strings.TrimSpace(c.name+" "+c.form), c.about)
	}
	b.WriteString("\nenvironment:\n")
	for _, v := range variables() {
		line(v.name+"="+v.form, v.about)
	}
	b.WriteString("\nHTTP calls to serve:\n")
	line("GET /readyz, GET /healthz", "what the kubelet's probes ask")
	line("GET "+statePath, "the state as JSON")
	for _, c := range calls() {
		line("POST "+controlPath+c.name+c.form, c.about)
	}
	return b.String()
}
