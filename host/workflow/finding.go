package workflow

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity says whether a finding stops the file from being used.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that reading a workflow turned up.
type Finding struct {
	File string `json:"file"`
	// Line and Col count from 1; Col counts characters, not bytes.
	Line     int      `json:"line"`
	Col      int      `json:"col"`
	Severity Severity `json:"severity"`
	// Code is one of Codes.
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`

	// excerpt is the line as it was read, "" when nothing was.
	excerpt string
	// width is how many characters the caret underlines; 0 means one.
	width int
}

// IsModule reports whether the finding is a module that was read and refused.
// `host validate` exits 8 when every error is such, else 3.
func (f Finding) IsModule() bool {
	c, ok := Codes[f.Code]
	return ok && c.Module
}

// String returns "file:line:col: message", with the hint behind it.
func (f Finding) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Message)
	if f.Hint != "" {
		s += " (" + f.Hint + ")"
	}
	return s
}

// HasErrors reports whether any finding is an error.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == Error })
}

// sortFindings orders by place: files in the order in which they were first
// read, then by line and column. What is said twice of one place is said once.
func sortFindings(findings []Finding, files []string) []Finding {
	rank := make(map[string]int, len(files))
	for i, f := range files {
		if _, ok := rank[f]; !ok {
			rank[f] = i
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(rank[a.File], rank[b.File]),
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Severity, b.Severity),
		)
	})
	return slices.CompactFunc(findings, func(a, b Finding) bool {
		return a.File == b.File && a.Line == b.Line && a.Col == b.Col && a.Code == b.Code && a.Message == b.Message
	})
}

// Format writes findings for people: place and message, the offending line, a
// caret under the place, the hint. source returns a file's text (nil: unknown);
// when it is nil itself, the lines are those that were read.
func Format(w io.Writer, findings []Finding, source func(file string) []byte, color bool) {
	lines := map[string][][]byte{}
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	for _, f := range findings {
		tone := "1;31"
		if f.Severity == Warning {
			tone = "1;33"
		}
		word := ""
		if f.Severity == Warning {
			word = "warning: "
		}
		fmt.Fprintf(w, "%s %s%s %s\n",
			paint("1", fmt.Sprintf("%s:%d:%d:", f.File, f.Line, f.Col)), paint(tone, word), f.Message, paint("2", "["+f.Code+"]"))
		excerpt := f.excerpt
		if source != nil {
			text, ok := lines[f.File]
			if !ok {
				text = bytes.Split(source(f.File), []byte("\n"))
				lines[f.File] = text
			}
			excerpt = lineOf(text, f.Line)
		}
		if excerpt != "" {
			line := printable(strings.TrimSuffix(excerpt, "\r"))
			fmt.Fprintf(w, "    %s\n    %s%s\n", line, blank(line, f.Col-1), paint(tone, carets(line, f.Col-1, f.width)))
		}
		if f.Hint != "" {
			fmt.Fprintf(w, "    %s %s\n", paint("2", "="), f.Hint)
		}
	}
}

// lineOf is a line, counted from 1; "" when there is none.
func lineOf(lines [][]byte, n int) string {
	if n < 1 || n > len(lines) {
		return ""
	}
	return string(lines[n-1])
}

// quote gives findings the lines that they are about. One line is kept once,
// however many findings it has.
func (l *loader) quote(findings []Finding) {
	type place struct {
		file string
		line int
	}
	quoted := map[place]string{}
	lines := map[string][][]byte{}
	for i := range findings {
		f := &findings[i]
		text, ok := lines[f.File]
		if !ok {
			text = bytes.Split(l.texts[f.File], []byte("\n"))
			lines[f.File] = text
		}
		at := place{f.File, f.Line}
		line, ok := quoted[at]
		if !ok {
			line = lineOf(text, f.Line)
			quoted[at] = line
		}
		f.excerpt = line
	}
}

// printable keeps a file from steering the terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '\uFFFD'
		}
		return r
	}, line)
}

// blank is what stands before the caret: tabs stay tabs, so that it lines up.
func blank(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n--; n < 0 {
			break
		}
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	for ; n > 0; n-- {
		b.WriteByte(' ')
	}
	return b.String()
}

func carets(line string, from, width int) string {
	left := utf8.RuneCountInString(line) - from
	return strings.Repeat("^", max(1, min(width, left)))
}
