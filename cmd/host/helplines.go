package main

import (
	"fmt"
	"io"
	"strings"
)

// helpColumns is how wide the help is, on a terminal and elsewhere.
const helpColumns = 90

// paragraphs breaks text anew, to lines of so many columns. What is indented, as
// lists and examples are, stays as it is.
func paragraphs(text string, columns int) string {
	parts := strings.Split(text, "\n\n")
	for i, p := range parts {
		if !strings.HasPrefix(p, " ") {
			parts[i] = strings.Join(broken(p, columns), "\n")
		}
	}
	return strings.Join(parts, "\n\n")
}

// broken is text in lines of so many columns; a longer word has a line of its
// own.
func broken(text string, columns int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case cellsIn(*last)+1+cellsIn(word) > columns:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	return lines
}

// writeRows writes names with what there is to say of each beside them.
func writeRows(w io.Writer, rows [][2]string) {
	most := 0
	for _, r := range rows {
		most = max(most, len(r[0]))
	}
	for _, r := range rows {
		name := r[0]
		for _, line := range broken(r[1], helpColumns-most-4) {
			fmt.Fprintf(w, "  %-*s  %s\n", most, name, line)
			name = ""
		}
	}
}
