// Package served has no code: its tests build the command, start a real
// `host serve` with real plugins, and drive its pages in a real browser.
package served
