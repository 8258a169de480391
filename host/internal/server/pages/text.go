package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"wasmhost/host/event"
)

// How much of a text a page shows; the rest is behind a link.
const (
	lineShown  = 300    // characters of what stands in a table's cell
	logShown   = 2_000  // of a line of a log
	valueShown = 4_000  // of a value
	sourceMost = 64_000 // of a workflow's file
)

// visible shows what cannot be seen or would change how its surroundings are
// read: control characters, and marks of direction that turn text around.
func visible(s string) string {
	plain := true
	for _, r := range s {
		if hidden(r) {
			plain = false
			break
		}
	}
	if plain && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0x061c, r == 0xfeff, r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

// cut is the beginning of s, at most n bytes of it, and whether that is all.
func cut(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, true
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n], false
}

// line is a text as it stands in one line of a page.
func line(s string) string {
	s, whole := cut(s, lineShown)
	s = strings.Join(strings.Fields(visible(s)), " ")
	if !whole {
		s += " …"
	}
	return s
}

// shown is a text or a value on a page.
type shown struct {
	Text  string
	Bytes int
	Whole bool
	Raw   string // where all of it can be read, "" when it is all here
	Empty bool   // there is nothing: null
}

func showText(s, raw string, n int) shown {
	text, whole := cut(s, n)
	v := shown{Text: visible(text), Bytes: len(s), Whole: whole}
	if !whole {
		v.Raw = raw
	}
	return v
}

// showValue lays JSON out in lines when it is small enough to be worth it.
func showValue(v event.Value, raw string) shown {
	if v.IsNull() {
		return shown{Text: "null", Bytes: 4, Whole: true, Empty: true}
	}
	text := v.String()
	if _, isText := v.Str(); !isText && len(text) < 256<<10 {
		var b bytes.Buffer
		if json.Indent(&b, []byte(text), "", "  ") == nil {
			text = b.String()
		}
	}
	s := showText(text, raw, valueShown)
	s.Bytes = len(v.Bytes())
	return s
}

// size is a number of bytes for people.
func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1000_000)
}

// number puts thin spaces between thousands.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// plural is "1 node", "3 nodes".
func plural(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "y"); ok {
			noun = stem + "ies"
		} else {
			noun += "s"
		}
	}
	return number(n) + " " + noun
}

// long is a text that may take some lines: a message.
func long(s string) string {
	s, whole := cut(s, logShown)
	s = visible(s)
	if !whole {
		s += " …"
	}
	return s
}
