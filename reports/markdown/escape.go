package markdown

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// inline makes text safe within a line: what a cluster or a chart says must not become markup.
func inline(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "|", `\|`, "#", "&#35;", "@", "&#64;",
	).Replace(clip(s))
}

// code makes text safe within backquotes.
func code(s string) string { return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "`", "'") }

// fence puts text in a code block whose fence is longer than any run of backquotes in it.
func fence(s string) string {
	s = clip(strings.TrimSpace(s))
	marks := "```"
	for strings.Contains(s, marks) {
		marks += "`"
	}
	return fmt.Sprintf("%stext\n%s\n%s\n", marks, s, marks)
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s … (%d bytes more in report.html)", s[:cut], len(s)-cut)
}
