package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// asWorkload makes the test binary be the program.
const asWorkload = "TEST_AS_WORKLOAD"

func TestMain(m *testing.M) {
	if os.Getenv(asWorkload) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// workload returns a command that runs the program with an environment of its own.
func workload(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append([]string{asWorkload + "=1", "WORKLOAD_LISTEN=127.0.0.1:0"}, environ...)
	return cmd
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ, args  []string
		code           int
		stdout, stderr string // what is in there
	}{
		"migrate":              {nil, []string{"migrate"}, 0, "msg=migrated part=migrate", ""},
		"migrate for a while":  {[]string{"WORKLOAD_MIGRATE_FOR=10ms", "WORKLOAD_TAG=v1"}, []string{"migrate"}, 0, "msg=migrating part=migrate tag=v1 for=10ms", ""},
		"fail":                 {nil, []string{"fail"}, 1, "msg=\"failing, as told\"", ""},
		"check without answer": {[]string{"WORKLOAD_CHECK_FOR=10ms"}, []string{"check", "http://127.0.0.1:1/"}, 1, "gave up", ""},
		"crash":                {[]string{"WORKLOAD_CRASH_AFTER=10ms", "WORKLOAD_PART=db"}, []string{"serve"}, 1, "msg=crashing part=db", ""},
		"exit":                 {[]string{"WORKLOAD_EXIT_AFTER=10ms"}, []string{"serve"}, 0, "msg=ending", ""},
		"exit with a code":     {[]string{"WORKLOAD_EXIT_AFTER=10ms", "WORKLOAD_EXIT_CODE=7"}, []string{"serve"}, 7, "code=7", ""},
		"address not there":    {[]string{"WORKLOAD_LISTEN=nowhere"}, []string{"serve"}, 1, "cannot listen", ""},
		"no command":           {nil, nil, 2, "", "workload: no command\n\nusage: workload COMMAND\n"},
		"unknown command":      {nil, []string{"server"}, 2, "", `workload: no command "server"`},
		"too many arguments":   {nil, []string{"serve", "x"}, 2, "", `workload: serve takes no arguments, not ["x"]`},
		"check without URL":    {nil, []string{"check"}, 2, "", "workload: check takes one URL, not 0 arguments"},
		"check what is no URL": {nil, []string{"check", "frontend:8080"}, 2, "", `workload: check: "frontend:8080" is no URL such as`},
		"all mistakes at once": {
			[]string{"WORKLOAD_X=1", "WORKLOAD_FLAP=1"},
			[]string{"x"},
			2, "",
			"workload: WORKLOAD_FLAP=\"1\": want how long it is ready and how long it is not, and possibly how often: 5s/2s or 5s/2s/3\n" +
				"workload: WORKLOAD_X: there is no such variable\nworkload: no command \"x\"\n\nusage: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := workload(t, test.environ, test.args...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // the exit code says it all
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for want, got := range map[string]string{test.stdout: stdout.String(), test.stderr: stderr.String()} {
				if !strings.Contains(got, want) || (want == "" && got != "") {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

var addressPattern = regexp.MustCompile(`address=(\S+)`)

// running is the program while it serves.
type running struct {
	*exec.Cmd
	url string
	log *bufio.Reader
}

// start starts the program and waits until it listens.
func start(t *testing.T, environ ...string) *running {
	t.Helper()
	r := &running{Cmd: workload(t, environ, "serve")}
	stdout, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.log = bufio.NewReader(stdout)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := r.log.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	match := addressPattern.FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("no address in %q", line)
	}
	r.url = "http://" + match[1]
	return r
}

// end waits for the program's end and returns the exit code and the rest of its log.
func (r *running) end(t *testing.T) (code int, log string) {
	t.Helper()
	rest, err := io.ReadAll(r.log)
	if err != nil {
		t.Error(err)
	}
	_ = r.Wait() // the exit code says it all
	return r.ProcessState.ExitCode(), string(rest)
}

func (r *running) do(t *testing.T, method, path string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	return response.StatusCode, string(all)
}

// A call that ends the program is answered first.
func TestToldToEnd(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{"/control/crash": 1, "/control/crash?code=3": 3, "/control/exit": 0, "/control/exit?code=4": 4} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			if code, body := r.do(t, http.MethodPost, path); code != http.StatusOK || !strings.Contains(body, `"ready":true`) {
				t.Errorf("answer %d %q", code, body)
			}
			if code, log := r.end(t); code != want || !strings.Contains(strings.ReplaceAll(log, `"`, ""), "msg=told part=serve tag= call="+path) {
				t.Errorf("exit code %d, want %d; log:\n%s", code, want, log)
			}
		})
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		first   string // a call before the signal
		says    string // what it says before the signal, if that has to be waited for
		log     string
	}{
		"at once":         {nil, "", "", "ending"},
		"while it hangs":  {nil, "/control/hang", "", "hanging"},
		"while not ready": {[]string{"WORKLOAD_FAIL=true"}, "", "never becomes ready", "ending"},
		"drains":          {[]string{"WORKLOAD_DRAIN=50ms"}, "", "", "after=50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, test.environ...)
			if test.first != "" {
				r.do(t, http.MethodPost, test.first)
			}
			for line := ""; !strings.Contains(line, test.says); {
				var err error
				if line, err = r.log.ReadString('\n'); err != nil {
					t.Fatalf("it never says %q: %v", test.says, err)
				}
			}
			if err := r.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code, log := r.end(t); code != 0 || !strings.Contains(log, test.log) {
				t.Errorf("exit code %d; log:\n%s", code, log)
			}
		})
	}
	t.Run("a job that is not done", func(t *testing.T) {
		t.Parallel()
		cmd := workload(t, []string{"WORKLOAD_MIGRATE_FOR=1h"}, "migrate")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil { // it has begun
			t.Error(err)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // the exit code says it all
		if code := cmd.ProcessState.ExitCode(); code != exitTerminated {
			t.Errorf("exit code %d, want %d", code, exitTerminated)
		}
	})
}
