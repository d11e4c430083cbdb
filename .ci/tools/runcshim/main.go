// Command runcshim is an OCI runtime for machines whose capability bounding set lacks CAP_SYS_RESOURCE, where runc refuses
// privileged containers ("unable to apply caps: operation not permitted"): it takes that capability out of what is asked
// for and hands over to runc. .ci/docker registers it with the Docker engine there.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const dropped = "CAP_SYS_RESOURCE"

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "runcshim: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	if file, isProcess := specOf(args[1:]); file != "" {
		if err := edit(file, isProcess); err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args[1:]...), os.Environ())
}

// specOf finds the file that describes the process a command of runc is to start: a bundle's config.json, or for exec one
// that holds a process alone.
func specOf(args []string) (file string, isProcess bool) {
	switch {
	case slices.Contains(args, "create"), slices.Contains(args, "run"):
		return filepath.Join(value(args, "--bundle", "-b"), "config.json"), false
	case slices.Contains(args, "exec"):
		return value(args, "--process", "-p"), true
	}
	return "", false
}

// value is the value of a flag; empty without it.
func value(args []string, names ...string) string {
	for i, arg := range args {
		name, given, joined := strings.Cut(arg, "=")
		switch {
		case !slices.Contains(names, name):
		case joined:
			return given
		case i+1 < len(args):
			return args[i+1]
		}
	}
	return ""
}

func edit(file string, isProcess bool) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if content, err = withoutCapability(content, isProcess); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, content, info.Mode())
}

// withoutCapability returns the description without the capability in any of its sets. What else it holds stays as it is.
func withoutCapability(content []byte, isProcess bool) ([]byte, error) {
	var spec map[string]json.RawMessage
	if err := json.Unmarshal(content, &spec); err != nil {
		return nil, err
	}
	if isProcess {
		if err := strip(spec); err != nil {
			return nil, err
		}
		return json.Marshal(spec)
	}
	var process map[string]json.RawMessage
	if err := json.Unmarshal(spec["process"], &process); err != nil {
		return nil, err
	}
	err := strip(process)
	if err == nil {
		spec["process"], err = json.Marshal(process)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(spec)
}

func strip(process map[string]json.RawMessage) error {
	if process["capabilities"] == nil {
		return nil
	}
	var sets map[string][]string
	if err := json.Unmarshal(process["capabilities"], &sets); err != nil {
		return err
	}
	for name, set := range sets {
		sets[name] = slices.DeleteFunc(set, func(c string) bool { return c == dropped })
	}
	var err error
	process["capabilities"], err = json.Marshal(sets)
	return err
}
