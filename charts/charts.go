// Package charts embeds the fixture charts that scenarios run on, so that the binary needs no checkout.
package charts

import (
	"embed"
	"fmt"
	"os"
)

//go:embed all:gadgets all:scoped all:shop
var charts embed.FS

// Extract writes every chart into dir, each in a folder of its name. It makes dir if it is not there, and refuses to
// overwrite a file.
func Extract(dir string) error {
	if err := os.CopyFS(dir, charts); err != nil {
		return fmt.Errorf("writing the fixture charts to %s: %w", dir, err)
	}
	return nil
}
