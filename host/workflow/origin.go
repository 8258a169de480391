package workflow

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// origin is where the text of an expression stands in its file. The zero origin
// is an expression made in Go.
type origin struct {
	file      string
	line, col int    // of the TOML string
	raw       string // the TOML string as it is written, quotes included
	offset    int    // where in the string's value the expression begins
}

// at returns the place of byte n of the expression.
func (o origin) at(n int) (line, col int) {
	line, col = o.line, o.col
	before := o.raw[:min(rawOffset(o.raw, o.offset+n), len(o.raw))]
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		line += strings.Count(before, "\n")
		before, col = before[i+1:], 1
	}
	return line, col + utf8.RuneCountInString(before)
}

// prefix is "file:line:col: " of byte n of the expression, "" for the zero
// origin.
func (o origin) prefix(n int) string {
	if o.file == "" {
		return ""
	}
	line, col := o.at(n)
	return fmt.Sprintf("%s:%d:%d: ", o.file, line, col)
}

// byteOffset turns an offset in characters, as the expression parser counts,
// into one in bytes.
func byteOffset(s string, runes int) int {
	if runes <= 0 {
		return 0
	}
	for i := range s {
		if runes == 0 {
			return i
		}
		runes--
	}
	return len(s)
}
