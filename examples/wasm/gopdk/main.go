// Command gopdk is the example plugin made with Extism's own Go PDK, as it is:
// plugins that exist already run unchanged. It counts lines, words and bytes.
package main

import (
	"bytes"
	"errors"

	"github.com/extism/go-pdk"
)

type counts struct {
	Lines int `json:"lines"`
	Words int `json:"words"`
	Bytes int `json:"bytes"`
}

//go:wasmexport run
func run() int32 {
	text := pdk.Input()
	if len(text) == 0 {
		pdk.SetError(errors.New(`{"class":"permanent","code":"empty","message":"there is no text to count"}`))
		return 1
	}
	n := counts{Lines: bytes.Count(text, []byte("\n")), Bytes: len(text)}
	if text[len(text)-1] != '\n' {
		n.Lines++
	}
	n.Words = len(bytes.FieldsFunc(text, func(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' }))
	if err := pdk.OutputJSON(n); err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}

func main() {}
