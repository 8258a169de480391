package workflow

import (
	"strings"
	"unicode"
	"unicode/utf8"

	eastasian "golang.org/x/text/width"

	"wasmhost/host/event"
)

// oneLine makes text safe to draw: control characters, which could move a
// terminal's cursor, and line breaks become spaces, and runs of them one.
func oneLine(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' && c != ' ' || c >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// columns is how many cells of a terminal a rune takes.
func columns(r rune) int {
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

// cellsOf is how many cells a text takes.
func cellsOf(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// cut shortens s to so many columns, with an ellipsis where it was cut.
func cut(s string, most int, ellipsis string) string {
	if cellsOf(s) <= most {
		return s
	}
	room := most - cellsOf(ellipsis)
	for i, r := range s {
		if room -= columns(r); room < 0 {
			return strings.TrimRight(s[:i], " ") + ellipsis
		}
	}
	return s
}

// ascii replaces what a terminal without UTF-8 cannot show.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		return '?'
	}, s)
}

// stateMark is the sign of a state, so that colour is never all that tells it.
func stateMark(s event.Status) string {
	switch s {
	case event.Succeeded:
		return "✓"
	case event.Degraded:
		return "~"
	case event.Failed, event.Refused:
		return "✗"
	case event.Skipped:
		return "–"
	case event.Cancelled:
		return "×"
	case event.Running:
		return "▸"
	case event.Waiting:
		return "…"
	case event.Pending:
		return "·"
	}
	return ""
}
