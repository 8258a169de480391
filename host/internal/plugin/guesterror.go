package plugin

import (
	"bytes"
	"encoding/json"
	"strings"

	"wasmhost/host/event"
)

const (
	// maxErrorText is how much of a guest's error text is kept.
	maxErrorText = 16 << 10
	// maxErrorJSON is how long an error can be that is read as JSON; maxWarnings
	// how many there can be in it. As values of Go they are many times as large
	// as they were in the guest, where they were counted.
	maxErrorJSON = 1 << 20
	maxWarnings  = 1000
)

// guestError is the JSON form of an error that a guest reports; all but the
// message may be missing.
type guestError struct {
	Class        string  `json:"class"`
	Code         any     `json:"code"`
	Message      *string `json:"message"`
	RetryAfterMS float64 `json:"retry_after_ms"`
}

// guestErrors reads what a guest reported: one error, or a list of warnings.
// Text that is not such JSON is the message itself.
func guestErrors(text []byte) []*event.Error {
	text = bytes.TrimSpace(text)
	switch {
	case len(text) > maxErrorJSON:
		text = text[:maxErrorJSON]
	case bytes.HasPrefix(text, []byte("{")):
		var one guestError
		if json.Unmarshal(text, &one) == nil && one.Message != nil {
			return []*event.Error{one.error()}
		}
	case bytes.HasPrefix(text, []byte("[")):
		if list := guestWarnings(text); allWarnings(list) {
			return list
		}
	}
	return []*event.Error{{Message: errorText(string(text))}}
}

// guestWarnings reads a list of errors, nil where it is none.
func guestWarnings(text []byte) []*event.Error {
	var many []json.RawMessage
	if json.Unmarshal(text, &many) != nil || len(many) > maxWarnings {
		return nil
	}
	list := make([]*event.Error, 0, len(many))
	for _, text := range many {
		var one guestError
		if json.Unmarshal(text, &one) != nil || one.Message == nil {
			return nil
		}
		list = append(list, one.error())
	}
	return list
}

func (g *guestError) error() *event.Error {
	e := &event.Error{Message: errorText(*g.Message)}
	switch g.Class {
	case event.Transient, event.Permanent, event.System, event.Unknown, event.Warning:
		e.Class, e.Declared = g.Class, true
	}
	switch code := g.Code.(type) {
	case string:
		e.Code = printable(strings.TrimSpace(code))
	case float64: // an HTTP status, most often
		text, _ := json.Marshal(code)
		e.Code = string(text)
	}
	if len(e.Code) > 100 {
		e.Code = strings.ToValidUTF8(e.Code[:100], "")
	}
	if reserved[e.Code] {
		e.Code = "plugin." + e.Code
	}
	const longest = 1 << 40 // milliseconds; no overflow as a duration
	if g.RetryAfterMS > 0 {
		e.RetryAfterMS = int64(min(g.RetryAfterMS, longest))
	}
	return e
}

func allWarnings(list []*event.Error) bool {
	for _, e := range list {
		if e.Class != event.Warning {
			return false
		}
	}
	return len(list) > 0
}

// asFailure is the error of a call that failed although the guest spoke of
// warnings only.
func asFailure(list []*event.Error) *event.Error {
	e := list[0]
	if e.Class == event.Warning {
		e.Class, e.Declared = "", false
	}
	return e
}

// errorText makes a guest's text fit to be shown: valid, printable but for line
// ends, not endless, not empty.
func errorText(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + " … (cut)"
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	if s = strings.TrimSpace(strings.Join(lines, "\n")); s == "" {
		return "the plugin reported an error without a text"
	}
	return s
}
