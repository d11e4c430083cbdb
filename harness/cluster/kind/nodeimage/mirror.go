package nodeimage

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// mirror is where Debian's packages come from: what apt uses on this machine, so that it works where only that can be
// reached. The zero value leaves it to debootstrap.
type mirror struct{ site, proxy string }

// aptTargets makes apt-get print its sources, one a line, as it understands them.
const aptTargets = "$(SITE)|$(RELEASE)|$(COMPONENT)"

// findMirror asks apt. A machine without apt has no sources to respect.
func findMirror(ctx context.Context) (mirror, error) {
	targets, err := command{name: "apt-get", args: []string{"indextargets", "--format", aptTargets, "Created-By: Packages"}}.run(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		return mirror{}, nil
	}
	if err != nil {
		return mirror{}, err
	}
	m := chooseMirror(targets)
	m.proxy, err = command{name: "apt-config", args: []string{"dump", "--format", "%v%n", "Acquire::http::Proxy"}}.run(ctx)
	m.proxy, _, _ = strings.Cut(m.proxy, "\n") // proxies of single hosts follow
	return m, err
}

// chooseMirror takes the first source that offers the suite itself, over a protocol that debootstrap knows.
func chooseMirror(targets string) mirror {
	for line := range strings.Lines(targets) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) != 3 || fields[1] != suite || fields[2] != "main" {
			continue
		}
		if scheme, _, _ := strings.Cut(fields[0], ":"); slices.Contains([]string{"http", "https", "file"}, scheme) {
			return mirror{site: fields[0]}
		}
	}
	return mirror{}
}

// env is set for what debootstrap downloads with.
func (m mirror) env() []string {
	if m.proxy == "" || m.proxy == "DIRECT" || os.Getenv("http_proxy") != "" {
		return nil
	}
	return []string{"http_proxy=" + m.proxy}
}
