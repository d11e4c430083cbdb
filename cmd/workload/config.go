package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// config is what the environment says.
type config struct {
	part, tag, listen string
	// Of serve. Those that are nil never happen.
	readyAfter                       time.Duration
	flap                             flap
	fail                             bool
	hangAfter, crashAfter, exitAfter *time.Duration
	exitCode                         *int
	drain                            time.Duration
	// Of the jobs.
	migrateFor, checkFor time.Duration
}

// prefix is what the names of all variables begin with that are meant for this program.
const prefix = "WORKLOAD_"

// variable is one environment variable.
type variable struct {
	name, form, about string
	set               func(c *config, value string) error
}

// variables is the one list of them. An empty value counts as none.
func variables() []variable {
	return []variable{
		{prefix + "PART", "NAME", "who it is, for its log", text(func(c *config) *string { return &c.part })},
		{prefix + "TAG", "NAME", "which revision it is of, for its log", text(func(c *config) *string { return &c.tag })},
		{prefix + "LISTEN", "ADDRESS", "where it listens, :8080 if not given", text(func(c *config) *string { return &c.listen })},
		{prefix + "READY_AFTER", "DURATION", "not ready before", duration(func(c *config) *time.Duration { return &c.readyAfter })},
		{prefix + "FLAP", "READY/UNREADY[/TIMES]", "once ready, ready and not ready in turn: 5s/2s", func(c *config, value string) (err error) {
			c.flap, err = parseFlap(value)
			return err
		}},
		{prefix + "FAIL", "true", "never ready", func(c *config, value string) (err error) {
			if c.fail, err = strconv.ParseBool(value); err != nil {
				return errors.New("want true or false")
			}
			return nil
		}},
		{prefix + "HANG_AFTER", "DURATION", "answers no probe from then on", optional(func(c *config) **time.Duration { return &c.hangAfter })},
		{prefix + "CRASH_AFTER", "DURATION", "ends at once with exit code 1", optional(func(c *config) **time.Duration { return &c.crashAfter })},
		{prefix + "EXIT_AFTER", "DURATION", "ends as if told to", optional(func(c *config) **time.Duration { return &c.exitAfter })},
		{prefix + "EXIT_CODE", "CODE", "with this exit code, 0 if not given", func(c *config, value string) error {
			code, err := parseCode(value, 0)
			c.exitCode = &code
			return err
		}},
		{prefix + "DRAIN", "DURATION", "told to end, not ready for so long before it does", duration(func(c *config) *time.Duration { return &c.drain })},
		{prefix + "MIGRATE_FOR", "DURATION", "how long migrate takes", duration(func(c *config) *time.Duration { return &c.migrateFor })},
		{prefix + "CHECK_FOR", "DURATION", "how long check tries, 30s if not given", duration(func(c *config) *time.Duration { return &c.checkFor })},
	}
}

// serviceVariable matches what a kubelet sets for each Service. One that is called workload makes WORKLOAD_PORT.
var serviceVariable = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// parseEnviron reads the environment and returns every mistake in it.
func parseEnviron(environ []string) (config, []error) {
	c := config{listen: ":8080", checkFor: 30 * time.Second}
	given := map[string]string{}
	for _, e := range environ {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, prefix) && value != "" && !serviceVariable.MatchString(name) {
			given[name] = value
		}
	}
	var problems []error
	for _, v := range variables() {
		value, ok := given[v.name]
		if !ok {
			continue
		}
		delete(given, v.name)
		if err := v.set(&c, value); err != nil {
			problems = append(problems, fmt.Errorf("%s=%q: %w", v.name, value, err))
		}
	}
	unknown := make([]string, 0, len(given))
	for name := range given {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		problems = append(problems, fmt.Errorf("%s: there is no such variable", name))
	}
	return c, append(problems, c.contradictions()...)
}

// contradictions lists what is right by itself but means nothing together.
func (c config) contradictions() []error {
	var problems []error
	if c.fail && (c.readyAfter > 0 || c.flap != (flap{})) {
		problems = append(problems, errors.New(prefix+"FAIL: what is never ready cannot have "+prefix+"READY_AFTER or "+prefix+"FLAP too"))
	}
	if c.exitCode != nil && c.exitAfter == nil {
		problems = append(problems, errors.New(prefix+"EXIT_CODE: it means nothing without "+prefix+"EXIT_AFTER"))
	}
	return problems
}

func text(field func(*config) *string) func(*config, string) error {
	return func(c *config, value string) error {
		*field(c) = value
		return nil
	}
}

func duration(field func(*config) *time.Duration) func(*config, string) error {
	return func(c *config, value string) (err error) {
		*field(c), err = parseDuration(value)
		return err
	}
}

func optional(field func(*config) **time.Duration) func(*config, string) error {
	return func(c *config, value string) error {
		d, err := parseDuration(value)
		*field(c) = &d
		return err
	}
}

func parseDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, errors.New("want a duration such as 1.5s")
	}
	return d, nil
}

func parseCode(value string, least int) (int, error) {
	code, err := strconv.Atoi(value)
	if err != nil || code < least || code > 255 {
		return 0, fmt.Errorf("want an exit code from %d to 255", least)
	}
	return code, nil
}

func parseFlap(value string) (flap, error) {
	parts := strings.Split(value, "/")
	if len(parts) < 2 || len(parts) > 3 {
		return flap{}, errFlap
	}
	var f flap
	var readyErr, unreadyErr, timesErr error
	f.ready, readyErr = parseDuration(parts[0])
	f.unready, unreadyErr = parseDuration(parts[1])
	if len(parts) == 3 {
		f.times, timesErr = strconv.Atoi(parts[2])
	}
	if errors.Join(readyErr, unreadyErr, timesErr) != nil || f.ready == 0 || f.unready == 0 || (len(parts) == 3 && f.times < 1) {
		return flap{}, errFlap
	}
	return f, nil
}

var errFlap = errors.New("want how long it is ready and how long it is not, and possibly how often: 5s/2s or 5s/2s/3")
