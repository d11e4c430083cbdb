package progress_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// screen is a terminal that knows the few sequences the live display uses, so that tests see what a user sees. Colours
// stay in the text.
type screen struct {
	mu      sync.Mutex
	columns int
	lines   [][]string
	row     int
	column  int
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runes := []rune(string(p))
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; r {
		case '\r':
			s.column = 0
		case '\n':
			s.row, s.column = s.row+1, 0
		case '\x1b':
			end := i + 2
			for end < len(runes) && (runes[end] == ';' || runes[end] >= '0' && runes[end] <= '9') {
				end++
			}
			s.escape(string(runes[i : end+1]))
			i = end
		default:
			s.put(string(r))
		}
	}
	return len(p), nil
}

func (s *screen) escape(sequence string) {
	var n int
	switch {
	case sequence == "\x1b[J":
		s.lines = s.lines[:min(len(s.lines), s.row+1)]
		if s.row < len(s.lines) {
			s.lines[s.row] = s.lines[s.row][:min(len(s.lines[s.row]), s.column)]
		}
	case strings.HasSuffix(sequence, "A"):
		_, _ = fmt.Sscanf(sequence, "\x1b[%dA", &n)
		s.row -= n
	case strings.HasSuffix(sequence, "m"):
		s.attach(sequence)
	}
}

// attach keeps a colour with the cell before it, so that it takes no column.
func (s *screen) attach(sequence string) {
	s.grow()
	if s.column == 0 {
		s.lines[s.row] = append(s.lines[s.row], "")
		s.column = 1
	}
	s.lines[s.row][s.column-1] += sequence
}

func (s *screen) put(cell string) {
	if s.column >= s.columns {
		s.row, s.column = s.row+1, 0
	}
	s.grow()
	line := append(s.lines[s.row][:min(len(s.lines[s.row]), s.column)], cell)
	s.lines[s.row] = line
	s.column++
}

func (s *screen) grow() {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, line := range s.lines {
		b.WriteString(strings.ReplaceAll(strings.Join(line, ""), "\x1b", "␛") + "\n")
	}
	return b.String()
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
