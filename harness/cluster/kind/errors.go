package kind

import (
	"errors"
	"os"
	"strings"

	"sigs.k8s.io/kind/pkg/exec"
)

// passing tells whether the nodes could not be started for a reason that passes: somebody took the port that kind had
// chosen for the API server, or removed the network that it had just seen.
func passing(err error) bool {
	failed := failedCommand(err)
	if failed == nil {
		return false
	}
	out := errors.New(string(failed.Output))
	return portTaken(out.Error()) || networkGone(out)
}

func portTaken(text string) bool {
	return strings.Contains(text, "port is already allocated") || strings.Contains(text, "address already in use")
}

// copyFile copies a small file; that there is none is no error.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

// short is an image's name without its digest.
func short(image string) string {
	name, _, _ := strings.Cut(image, "@")
	return name
}

// failedCommand is the command whose failure an error tells of; nil if it tells of none.
func failedCommand(err error) *exec.RunError {
	var failed *exec.RunError
	if !errors.As(err, &failed) {
		return nil
	}
	return failed
}
