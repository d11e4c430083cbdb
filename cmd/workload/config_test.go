package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnviron(t *testing.T) {
	t.Parallel()
	defaults := config{listen: ":8080", checkFor: 30 * time.Second}
	with := func(change func(*config)) config {
		c := defaults
		change(&c)
		return c
	}
	second, three := time.Second, 3
	for name, test := range map[string]struct {
		environ []string
		want    config
	}{
		"nothing":                {nil, defaults},
		"what is not for it":     {[]string{"tag=v1", "greeting=hello", "WORKLOAD=x", "=C:=x"}, defaults},
		"empty counts as none":   {[]string{"WORKLOAD_READY_AFTER=", "WORKLOAD_LISTEN="}, defaults},
		"who it is":              {[]string{"WORKLOAD_PART=db", "WORKLOAD_TAG=a=b"}, with(func(c *config) { c.part, c.tag = "db", "a=b" })},
		"ready late, then flaps": {[]string{"WORKLOAD_READY_AFTER=1s", "WORKLOAD_FLAP=5s/2s"}, with(func(c *config) { c.readyAfter, c.flap = second, flap{5 * second, 2 * second, 0} })},
		"flaps three times":      {[]string{"WORKLOAD_FLAP=5s/1s/3"}, with(func(c *config) { c.flap = flap{5 * second, second, 3} })},
		"never ready":            {[]string{"WORKLOAD_FAIL=true"}, with(func(c *config) { c.fail = true })},
		"not never ready":        {[]string{"WORKLOAD_FAIL=false", "WORKLOAD_READY_AFTER=1s"}, with(func(c *config) { c.readyAfter = second })},
		"hangs, crashes and exits": {[]string{"WORKLOAD_HANG_AFTER=1s", "WORKLOAD_CRASH_AFTER=0s", "WORKLOAD_EXIT_AFTER=1s", "WORKLOAD_EXIT_CODE=3"}, with(func(c *config) {
			c.hangAfter, c.crashAfter, c.exitAfter, c.exitCode = &second, new(time.Duration), &second, &three
		})},
		"where and how it ends": {[]string{"WORKLOAD_LISTEN=:1", "WORKLOAD_DRAIN=1s"}, with(func(c *config) { c.listen, c.drain = ":1", second })},
		"jobs":                  {[]string{"WORKLOAD_MIGRATE_FOR=1s", "WORKLOAD_CHECK_FOR=1s"}, with(func(c *config) { c.migrateFor, c.checkFor = second, second })},
		"a Service called workload": {[]string{
			"WORKLOAD_SERVICE_HOST=10.0.0.1", "WORKLOAD_SERVICE_PORT=80", "WORKLOAD_SERVICE_PORT_HTTP=80", "WORKLOAD_PORT=tcp://10.0.0.1:80",
			"WORKLOAD_PORT_80_TCP=tcp://10.0.0.1:80", "WORKLOAD_PORT_80_TCP_PROTO=tcp", "WORKLOAD_DB_PORT_80_TCP_ADDR=10.0.0.1",
		}, defaults},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := parseEnviron(test.environ)
			if err := errors.Join(problems...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(config{}, flap{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseEnvironRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"an unknown variable":    {[]string{"WORKLOAD_REDY_AFTER=1s"}, "WORKLOAD_REDY_AFTER: there is no such variable"},
		"no duration":            {[]string{"WORKLOAD_READY_AFTER=1"}, `WORKLOAD_READY_AFTER="1": want a duration such as 1.5s`},
		"a negative duration":    {[]string{"WORKLOAD_CRASH_AFTER=-1s"}, `WORKLOAD_CRASH_AFTER="-1s": want a duration such as 1.5s`},
		"no boolean":             {[]string{"WORKLOAD_FAIL=yes"}, `WORKLOAD_FAIL="yes": want true or false`},
		"no exit code":           {[]string{"WORKLOAD_EXIT_AFTER=1s", "WORKLOAD_EXIT_CODE=256"}, `WORKLOAD_EXIT_CODE="256": want an exit code from 0 to 255`},
		"a code without an exit": {[]string{"WORKLOAD_EXIT_CODE=1"}, "WORKLOAD_EXIT_CODE: it means nothing without WORKLOAD_EXIT_AFTER"},
		"never ready but late":   {[]string{"WORKLOAD_FAIL=1", "WORKLOAD_READY_AFTER=1s"}, "WORKLOAD_FAIL: what is never ready cannot have WORKLOAD_READY_AFTER or WORKLOAD_FLAP too"},
		"never ready but flaps":  {[]string{"WORKLOAD_FAIL=1", "WORKLOAD_FLAP=1s/1s"}, "WORKLOAD_FAIL: what is never ready cannot have WORKLOAD_READY_AFTER or WORKLOAD_FLAP too"},
		"every mistake at once": {[]string{"WORKLOAD_Z=1", "WORKLOAD_DRAIN=x", "WORKLOAD_A=1", "WORKLOAD_FAIL=x"}, `WORKLOAD_FAIL="x": want true or false
WORKLOAD_DRAIN="x": want a duration such as 1.5s
WORKLOAD_A: there is no such variable
WORKLOAD_Z: there is no such variable`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := parseEnviron(test.environ)
			if err := errors.Join(problems...); err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	for _, value := range []string{"5s", "5s/", "/2s", "0s/2s", "5s/0s", "5s/2s/0", "5s/2s/x", "5s/2s/1/1"} {
		if f, err := parseFlap(value); err == nil {
			t.Errorf("%q was taken for %v", value, f)
		}
	}
}

// What the charts' README says of this program is complete.
func TestDocumented(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../charts/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, c := range commands() {
		want = append(want, strings.TrimSpace(c.name+" "+c.form))
	}
	for _, v := range variables() {
		want = append(want, fmt.Sprintf("%s=%s", v.name, v.form))
	}
	for _, c := range calls() {
		want = append(want, "POST "+controlPath+c.name+c.form)
	}
	for _, w := range append(want, "GET /readyz", "GET /healthz", "GET "+statePath) {
		if !strings.Contains(string(readme), "`"+w+"`") {
			t.Errorf("charts/README.md does not say what `%s` is", w)
		}
		if !strings.Contains(usage(), w) {
			t.Errorf("the usage text does not say what %s is", w)
		}
	}
}
