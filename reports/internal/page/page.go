// Package page is what all pages of a report share: their style, and how they tell times and point to each other.
package page

import (
	_ "embed" // for the style
	"fmt"
	"html/template"
	"time"
)

//go:embed style.css
var style string

// Style is the style of every page, for a <style> element.
func Style() template.CSS { return template.CSS(style) }

// Anchor is where report.html tells of a run's variant, by its place in the run, from 0.
func Anchor(i int) string { return fmt.Sprintf("variant-%d", i+1) }

// Short is a time as people read it.
func Short(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}
