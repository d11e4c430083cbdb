package junit

import (
	"encoding/xml"
	"fmt"
	"strings"
)

type testsuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	// Skipped is a pointer because junit-10.xsd knows it on a testsuite only.
	Skipped *int   `xml:"skipped,attr,omitempty"`
	Time    string `xml:"time,attr"`
	Suites  []*testsuite
}

type testsuite struct {
	XMLName    xml.Name `xml:"testsuite"`
	Name       string   `xml:"name,attr"`
	Tests      int      `xml:"tests,attr"`
	Failures   int      `xml:"failures,attr"`
	Errors     int      `xml:"errors,attr"`
	Skipped    int      `xml:"skipped,attr"`
	Time       string   `xml:"time,attr"`
	Timestamp  string   `xml:"timestamp,attr,omitempty"`
	File       string   `xml:"file,attr,omitempty"`
	Properties *properties
	Cases      []*testcase
}

type testcase struct {
	XMLName    xml.Name `xml:"testcase"`
	Name       string   `xml:"name,attr"`
	Classname  string   `xml:"classname,attr"`
	File       string   `xml:"file,attr,omitempty"`
	Line       int      `xml:"line,attr,omitempty"`
	Time       string   `xml:"time,attr"`
	Properties *properties
	Failure    *outcome `xml:"failure"`
	Error      *outcome `xml:"error"`
	Skipped    *outcome `xml:"skipped"`
	SystemOut  text     `xml:"system-out"`
}

type outcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",cdata"`
}

// text is written as CDATA, so that its lines are lines in the file too.
type text struct {
	Text string `xml:",cdata"`
}

// properties is nil rather than empty, so that no empty element is written.
type properties struct {
	XMLName xml.Name   `xml:"properties"`
	List    []property `xml:"property"`
}

func propertiesOf(list []property) *properties {
	if len(list) == 0 {
		return nil
	}
	return &properties{List: list}
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

func (d *testsuites) add(s *testsuite) {
	d.Suites = append(d.Suites, s)
	d.Tests += s.Tests
	d.Failures += s.Failures
	d.Errors += s.Errors
	if d.Skipped == nil {
		d.Skipped = new(int)
	}
	*d.Skipped += s.Skipped
}

// keepToXUnit2 drops what junit-10.xsd does not know. The properties of a testcase stay in its system-out.
func (d *testsuites) keepToXUnit2() {
	d.Skipped = nil
	for _, s := range d.Suites {
		for _, c := range s.Cases {
			c.File, c.Line, c.Properties = "", 0, nil
		}
	}
}

func (s *testsuite) add(c *testcase, names unique) {
	c.Classname = s.Name
	c.Name = names.testcase(s.Name, c.Name)
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

// unique makes names that were used before different, since readers drop a duplicate without a word.
type unique map[string]bool

func (u unique) suite(name string) string { return u.take("", name) }

func (u unique) testcase(suite, name string) string { return u.take(suite+"\x00", name) }

func (u unique) take(scope, name string) string {
	taken := name
	for n := 2; u[scope+taken]; n++ {
		taken = fmt.Sprintf("%s (%d)", name, n)
	}
	u[scope+taken] = true
	return taken
}

// printable replaces what XML 1.0 forbids. encoding/xml does so by itself everywhere but in CDATA.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
			return r
		default:
			return '\uFFFD'
		}
	}, s)
}
