package plugin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The levels of a log line.
const (
	levelDebug = "debug"
	levelInfo  = "info"
	levelWarn  = "warn"
	levelError = "error"
)

// callLog takes the lines of one call: secrets masked, control characters
// taken out, capped.
type callLog struct {
	to    func(level, message string)
	masks *masks
	left  int64
	lines uint64 // that were taken
	full  bool
}

func (l *callLog) wanted() bool { return l.to != nil && !l.full }

// write logs text, each of its lines by itself, so that no line can pretend to
// be another.
func (l *callLog) write(level, text string) {
	if !l.wanted() {
		return
	}
	// What cannot be shown is not looked at. A secret that begins within what can
	// be is taken whole.
	cut := l.left+maxLine < int64(len(text))
	if cut {
		text = text[:l.left+maxLine]
	}
	for line := range strings.SplitSeq(strings.TrimRight(l.masks.text(text), "\r\n"), "\n") {
		if plain := printable(line); plain != line { // what was taken out may have hidden a secret
			line = l.masks.text(plain)
		}
		if int64(len(line)) > l.left {
			cut = true
			break
		}
		l.left -= int64(len(line)) + 1
		l.lines++
		l.to(level, line)
	}
	if cut {
		l.full = true
		l.to(levelWarn, "the log of this call is full ("+codeLog+": limits.log); what follows is left out")
	}
}

// printable takes out of text what a terminal would act on: control
// characters, and those that turn the direction of what follows. Tabs stay.
func printable(text string) string {
	clean := true
	for _, r := range text {
		if hidden(r) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

func hidden(r rune) bool {
	switch {
	case r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	case 0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x2028, r == 0x2029:
		return true
	}
	return false
}
