package kind

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/kind/pkg/log"
)

// Marks that kind puts before the name of a phase.
const (
	markBegin  = "•"
	markFailed = "✗"
)

// controlPlaneStarts begins the name of the phase before which kind is done with the nodes themselves: they run, and their
// containerd is not restarted any more.
const controlPlaneStarts = "starting control-plane"

// phases is the logger that kind is given. Phases become lines of progress; everything goes to the log.
type phases struct {
	progress func(phase string)
	// running is closed once the nodes run.
	running  chan struct{}
	nodesRun func()

	mu  sync.Mutex
	log io.Writer
	// failed is the phase that did not succeed.
	failed string
	// closed is set once nobody listens any more: an abandoned call of kind's may go on for a while.
	closed bool
}

var _ log.Logger = (*phases)(nil)

func newPhases(progress func(string), log io.Writer) *phases {
	running := make(chan struct{})
	return &phases{progress: progress, log: log, running: running, nodesRun: sync.OnceFunc(func() { close(running) })}
}

// V returns the same logger: what is too detailed for the terminal is wanted in the log.
func (p *phases) V(level log.Level) log.InfoLogger { return &infoLogger{to: p, level: level} }

// Warn writes to the log: kind warns of what is told here through progress, or does not matter to a cluster that lives
// for minutes.
func (p *phases) Warn(message string) { p.write("warning: " + message) }

// Warnf is Warn with a format.
func (p *phases) Warnf(format string, args ...any) { p.Warn(fmt.Sprintf(format, args...)) }

// Error writes to the log; kind returns the error as well.
func (p *phases) Error(message string) { p.write("error: " + message) }

// Errorf is Error with a format.
func (p *phases) Errorf(format string, args ...any) { p.Error(fmt.Sprintf(format, args...)) }

// say takes a message that kind means for the terminal.
func (p *phases) say(message string) {
	p.write(message)
	mark, name := splitPhase(message)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed || name == "":
	case mark == markBegin:
		p.progress(name)
		if strings.HasPrefix(name, controlPlaneStarts) {
			p.nodesRun()
		}
	case mark == markFailed:
		p.failed = name
	}
}

func (p *phases) write(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_, _ = fmt.Fprintln(p.log, strings.TrimRight(message, "\n")) // a log that cannot be written stops nothing
	}
}

// close ends it: what is logged from now on is dropped.
func (p *phases) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// failure is the phase that failed, if kind named one.
func (p *phases) failure() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// splitPhase takes " • Preparing nodes 📦 📦  ..." apart into the mark and "preparing nodes".
func splitPhase(message string) (mark, name string) {
	fields := strings.Fields(message)
	if len(fields) == 0 {
		return "", ""
	}
	mark = fields[0]
	var words []string
	for _, word := range fields[1:] {
		first, _ := utf8.DecodeRuneInString(word)
		if word != "..." && first < unicode.MaxASCII {
			words = append(words, word)
		}
	}
	name = strings.Join(words, " ")
	if name == "" {
		return mark, ""
	}
	return mark, strings.ToLower(name[:1]) + name[1:]
}

// infoLogger is the logger of one level.
type infoLogger struct {
	to    *phases
	level log.Level
}

// Info takes a message.
func (i *infoLogger) Info(message string) {
	if i.level == 0 {
		i.to.say(message)
		return
	}
	i.to.write(message)
}

// Infof is Info with a format.
func (i *infoLogger) Infof(format string, args ...any) { i.Info(fmt.Sprintf(format, args...)) }

// Enabled tells that every level is wanted.
func (i *infoLogger) Enabled() bool { return true }
