package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	eastasian "golang.org/x/text/width"
)

// clean makes text of plugins and files safe for a terminal and one line long:
// control characters could move the cursor, and worse.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.IsSpace(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// cleanLines is clean for text of several lines.
func cleanLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			switch {
			case r == '\t':
				return r
			case r == utf8.RuneError:
				return '\uFFFD'
			case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
				return -1
			}
			return r
		}, l)
	}
	return strings.Join(lines, "\n")
}

// cells is how many columns of a terminal a rune takes.
func cells(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch eastasian.LookupRune(r).Kind() {
	case eastasian.EastAsianWide, eastasian.EastAsianFullwidth:
		return 2
	}
	return 1
}

func cellsIn(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// short cuts s to so many columns.
func short(s string, most int) string {
	if cellsIn(s) <= most {
		return s
	}
	room := most - 1
	for i, r := range s {
		if room -= cells(r); room < 0 {
			return strings.TrimRight(s[:i], " ") + "…"
		}
	}
	return s
}

// pad fills s up to so many columns.
func pad(s string, to int) string {
	return s + strings.Repeat(" ", max(0, to-cellsIn(s)))
}

// span is a duration for people: "12ms", "1.2s", "3m20s".
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	}
	if d < time.Hour && d%time.Second != 0 {
		d = d.Round(time.Second / 10)
		return d.String()
	}
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// counted is "1 node", "3 nodes", "2 retries".
func counted(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "y"); ok {
			noun = stem + "ies"
		} else {
			noun += "s"
		}
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// closest is the word most like what was typed, "" when none is like it.
func closest(typed string, words []string) string {
	best, least := "", 3
	if len(typed) <= 3 {
		least = 2
	}
	for _, w := range words {
		if d := distance(typed, w); d < least {
			best, least = w, d
		}
		if best == "" && len(typed) >= 3 && strings.HasPrefix(w, typed) {
			best = w
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap between two
// words.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
