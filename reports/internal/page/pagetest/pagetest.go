// Package pagetest reads pages of a report as a test does: what a reader reads, and whether a page stands alone.
package pagetest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Walk visits every node of a page.
func Walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := range n.ChildNodes() {
		Walk(c, visit)
	}
}

// Texts are a page's texts in their order, without style and script.
func Texts(root *html.Node) []string {
	var all []string
	Walk(root, func(n *html.Node) {
		if n.Type != html.TextNode || n.Parent.Data == "style" || n.Parent.Data == "script" {
			return
		}
		if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
			all = append(all, text)
		}
	})
	return all
}

// Outside lists what keeps a page from standing alone: links that lead out of it, and those within it that lead nowhere.
// beside are the links that may lead to files beside it.
func Outside(root *html.Node, beside ...string) []string {
	var problems, targets []string
	ids := map[string]bool{}
	Walk(root, func(n *html.Node) {
		for _, a := range n.Attr {
			switch {
			case a.Key == "id" && ids[a.Val]:
				problems = append(problems, fmt.Sprintf("the id %q occurs twice", a.Val))
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				targets = append(targets, a.Val[1:])
			case a.Key == "href" && slices.Contains(beside, a.Val):
			case slices.Contains([]string{"href", "src", "srcset", "action", "data", "poster"}, a.Key):
				problems = append(problems, fmt.Sprintf("<%s %s=%q> leads out of the page", n.Data, a.Key, a.Val))
			}
		}
		if n.Type == html.TextNode && n.Parent.Data == "style" && (strings.Contains(n.Data, "url(") || strings.Contains(n.Data, "@import")) {
			problems = append(problems, "the style loads something")
		}
	})
	if len(targets) == 0 {
		problems = append(problems, "nothing links within the page")
	}
	for _, target := range targets {
		if !ids[target] {
			problems = append(problems, fmt.Sprintf("a link leads to #%s, which is not there", target))
		}
	}
	return problems
}
