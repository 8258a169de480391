package main

import "testing"

// What a terminal shows in two columns is counted as two, and nothing else is.
func TestCells(t *testing.T) {
	for text, want := range map[string]int{
		"":             0,
		"plain":        5,
		"caf\u00e9":    4,
		"cafe\u0301":   4, // a combining accent
		"日本":           4,
		"한":            2,
		"ｆｕｌｌ":         8,
		"ﾊﾝ":           2, // half width
		"🚀":            2,
		"\u231a":       2, // a watch, among symbols of one column
		"\U0001f321":   1, // a thermometer, among symbols of two
		"\u200bhidden": 6,
		"… → ✓":        5,
	} {
		if got := cellsIn(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}
