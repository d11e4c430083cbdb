package evidence

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile writes v as indented JSON to dir/name: plan.json, verdict.json, run.json. A reader sees the old file or
// the whole new one. Nothing is redacted: see Recorder.WriteFile for what may hold secrets.
func WriteFile(dir, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return writeAtomic(dir, name, append(data, '\n'))
}

func writeAtomic(dir, name string, data []byte) (err error) {
	path := filepath.Join(dir, name)
	tmp, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, WithRemedy(err))
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, WithRemedy(err))
	}
	return nil
}
