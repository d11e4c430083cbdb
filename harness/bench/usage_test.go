package bench_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// usage is what a process has used up since it started.
type usage struct {
	cpu time.Duration
	// peak is the most memory that was resident, in bytes; where there is no /proc, what is resident now.
	peak int64
}

// usageOf asks /proc, or ps where there is none.
func usageOf(pid int) (usage, error) {
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		return usageFromProc(fmt.Sprintf("/proc/%d", pid))
	}
	out, err := exec.Command("ps", "-o", "time=,rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return usage{}, fmt.Errorf("ask ps for process %d: %w", pid, err)
	}
	return parsePs(string(out))
}

// ticks is how many units of CPU time /proc counts in a second: 100, whatever the kernel.
const ticks = 100

func usageFromProc(dir string) (usage, error) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return usage{}, err
	}
	// What follows the name, which may hold anything, begins with the third field; utime is the 14th.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return usage{}, fmt.Errorf("%s/stat is too short: %s", dir, stat)
	}
	var u usage
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("%s/stat: %w", dir, err)
		}
		u.cpu += time.Duration(n) * time.Second / ticks
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return usage{}, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			u.peak = kib << 10
			return u, err
		}
	}
	return u, errors.New(dir + "/status has no VmHWM")
}

// parsePs reads what ps prints on macOS: [hours:]minutes:seconds with a fraction, and KiB.
func parsePs(text string) (usage, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return usage{}, fmt.Errorf("ps printed %q", text)
	}
	var total float64
	for part := range strings.SplitSeq(fields[0], ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return usage{}, fmt.Errorf("ps printed %q: %w", text, err)
		}
		total = total*60 + n
	}
	kib, err := strconv.ParseInt(fields[1], 10, 64)
	return usage{time.Duration(math.Round(total*1000)) * time.Millisecond, kib << 10}, err
}

// cpuOf returns the CPU time of this process (syscall.RUSAGE_SELF) or of its children that have ended
// (syscall.RUSAGE_CHILDREN), to the microsecond.
func cpuOf(b *testing.B, who int) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// forgetPeak makes the peak of this process begin anew, where the system can do that.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func TestParsePs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]usage{
		"  0:01.25  2048\n":  {1250 * time.Millisecond, 2 << 20},
		"1:02:03.50 1\n":     {time.Hour + 2*time.Minute + 3500*time.Millisecond, 1 << 10},
		"":                   {},
		"1:xx 5\n":           {},
		"0:00.00 0 whatever": {},
	} {
		got, err := parsePs(text)
		if got != want || (err == nil) != (want != usage{}) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestUsageOf(t *testing.T) {
	t.Parallel()
	got, err := usageOf(os.Getpid())
	if err != nil || got.peak < 1<<20 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := usageOf(math.MaxInt32); err == nil {
		t.Error("a process that does not exist has a usage")
	}
}
