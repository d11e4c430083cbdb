// Package scenarios embeds the rehearsals that come with the program, so that they can be run without a checkout.
package scenarios

import (
	"embed"
	"fmt"
	"os"
)

//go:embed */*.yaml
var files embed.FS

// Extract writes every scenario into dir, in the folder of its area. It makes dir if it is not there, and refuses to
// overwrite a file. The scenarios look for the fixture charts in the folder charts beside dir.
func Extract(dir string) error {
	if err := os.CopyFS(dir, files); err != nil {
		return fmt.Errorf("writing the scenarios to %s: %w", dir, err)
	}
	return nil
}
