package evidence

import (
	"regexp"
	"strings"
)

// passing are parts of messages that are other ones in every run.
var passing = regexp.MustCompile(`https?://[^\s"]+|127\.0\.0\.1:\d+|\d+(\.\d+)?(ms|µs|s)\b|object has been modified; .*`)

// Plain is a message of the bundle's without what differs from run to run: addresses, times, the namespace.
func (b *Bundle) Plain(text string) string {
	text = passing.ReplaceAllString(text, "…")
	if b.Variant.Namespace != "" {
		text = regexp.MustCompile(`\b`+regexp.QuoteMeta(b.Variant.Namespace)+`\b`).ReplaceAllString(text, "NAMESPACE")
	}
	return strings.Join(strings.Fields(text), " ")
}
