// Command go is the example plugin in Go: it counts lines, words and bytes.
package main

import "wasmhost/pluginsdk"

type counts struct {
	Lines int `json:"lines"`
	Words int `json:"words"`
	Bytes int `json:"bytes"`
}

// count is all there is to write: bytes in, a value out, or an error that says
// what kind it is.
func count(_ pluginsdk.Call, text []byte) (counts, error) {
	if len(text) == 0 {
		return counts{}, pluginsdk.Permanent("empty", "there is no text to count")
	}
	n := counts{Bytes: len(text)}
	inWord := false
	for _, c := range text {
		space := c == ' ' || '\t' <= c && c <= '\r'
		if !space && !inWord {
			n.Words++
		}
		inWord = !space
		if c == '\n' {
			n.Lines++
		}
	}
	if text[len(text)-1] != '\n' {
		n.Lines++
	}
	return n, nil
}

//go:wasmexport run
func run() int32 { return pluginsdk.Run(count) }

func main() {}
