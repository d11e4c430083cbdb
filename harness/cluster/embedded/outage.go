package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"rehearse.dev/rehearse/harness/cluster"
)

var (
	_ cluster.Resilient = (*Cluster)(nil)
	_ cluster.Resilient = (*attached)(nil)
)

const (
	// outageSuffix ends the names of files in a cluster's folder that say since when a component is away because that was
	// asked for, or since when it is back.
	outageSuffix = ".outage"
	// restartsFile in a cluster's folder has a line for each component that was started again after an outage.
	restartsFile = "restarts.jsonl"
	// aftermath is how long after an outage its end is still felt. Reflectors find back within a minute, after a back-off of
	// at most 30 s; what they then read is what a component may not survive.
	aftermath = 2 * time.Minute
)

// outage is an outage of a component that was asked for.
type outage struct {
	component string
	// Away is set as long as it lasts.
	Away bool `json:"away"`
	// Since is when it began or, if it is over, when it ended.
	Since time.Time `json:"since"`
}

// felt reports whether the outage may be why another component ends.
func (o outage) felt(now time.Time) bool { return o.Away || now.Sub(o.Since) < aftermath }

// when says when something happened that the outage may be the cause of.
func (o outage) when() string {
	if o.Away {
		return "while " + o.component + " was away on purpose"
	}
	return "after " + o.component + " had been away on purpose"
}

// noteOutage writes down that a component is taken away on purpose, before it is, so that its end, if it is another's too,
// finds the note.
func noteOutage(dir, component string) error {
	return writeOutage(dir, outage{component: component, Away: true, Since: time.Now()})
}

// endOutage writes down that a component is back, if it was away.
func endOutage(dir, component string) error {
	o, err := readOutage(dir, component)
	if err != nil || !o.Away {
		return err
	}
	return writeOutage(dir, outage{component: component, Since: time.Now()})
}

func writeOutage(dir string, o outage) error {
	content, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(dir, o.component+outageSuffix), content)
}

// readOutage returns the last outage of a component; if there was none, one that ended long ago.
func readOutage(dir, component string) (outage, error) {
	o := outage{component: component}
	content, err := os.ReadFile(filepath.Join(dir, component+outageSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &o)
	}
	return o, err
}

// feltOutage returns the outage that may be why a component ends, if there are two one that lasts; nil if there is none.
func feltOutage(dir string, now time.Time) *outage {
	var felt *outage
	for _, component := range []string{apiserver, etcd} {
		if o, err := readOutage(dir, component); err == nil && o.felt(now) && (felt == nil || o.Away) {
			felt = &o
		}
	}
	return felt
}

// noteRestart writes down that a component is started again, and what it had ended of.
func noteRestart(dir string, p *process, felt *outage) error {
	line, err := json.Marshal(cluster.Restart{
		Component: p.name, Reason: fmt.Sprintf("it ended (%v) %s; its last word was: %s", p.err, felt.when(), lastWord(p.log)),
	})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, restartsFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// mostWord is how much of a line of a log is told.
const mostWord = 300

// lastWord is the last line of a log, cut if it is long.
func lastWord(log string) string {
	word := []rune(tail(log, 1))
	if len(word) <= mostWord {
		return string(word)
	}
	return string(word[:mostWord]) + "…"
}

// readRestarts leaves out a line that is still written.
func readRestarts(dir string) ([]cluster.Restart, error) {
	content, err := os.ReadFile(filepath.Join(dir, restartsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read which components were started again: %w", err)
	}
	var all []cluster.Restart
	for line := range bytes.Lines(content[:bytes.LastIndexByte(content, '\n')+1]) {
		var r cluster.Restart
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read which components were started again: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// Restarts are the components that ended by themselves after an outage that was asked for, and were started again.
func (c *Cluster) Restarts() ([]cluster.Restart, error) { return readRestarts(c.dir) }

// Restarts is what the cluster's own process wrote down.
func (a *attached) Restarts() ([]cluster.Restart, error) { return readRestarts(a.info.Dir) }
