package plugin

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"wasmhost/host/event"
)

const masked = "***"

// masks replaces secret values wherever they appear, also as the JSON strings
// that outputs mostly are. Other encoded copies (base64, percent, unusual
// escapes) cannot be known and are not masked.
type masks struct {
	values   []string // longest first, so that a secret inside another leaves no rest
	replacer *strings.Replacer
}

func newMasks(secrets []Secret) *masks {
	m := &masks{}
	for _, s := range secrets {
		m.values = append(m.values, s.Value)
		m.values = append(m.values, escaped(s.Value)...)
	}
	slices.SortFunc(m.values, func(a, b string) int { return len(b) - len(a) })
	m.values = slices.Compact(m.values)
	pairs := make([]string, 0, 2*len(m.values))
	for _, v := range m.values {
		pairs = append(pairs, v, masked)
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m
}

// escaped are the ways in which JSON writers write a value: those of Go with
// and without care for HTML, and that of JavaScript and most others.
func escaped(value string) []string {
	var all []string
	for _, html := range []bool{true, false} {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(value) == nil {
			all = append(all, strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`))
		}
	}
	return append(all, strings.ReplaceAll(all[1], "/", `\/`))
}

func (m *masks) text(s string) string {
	if len(m.values) == 0 {
		return s
	}
	return m.replacer.Replace(s)
}

// bytes returns b itself when there is nothing to mask.
func (m *masks) bytes(b []byte) []byte {
	for _, v := range m.values {
		if bytes.Contains(b, []byte(v)) {
			return []byte(m.replacer.Replace(string(b)))
		}
	}
	return b
}

// error masks what a person or another plugin reads of e.
func (m *masks) error(e *event.Error) {
	e.Message = m.text(e.Message)
	e.Code = m.text(e.Code)
}
