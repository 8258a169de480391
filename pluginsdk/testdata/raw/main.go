// Command raw is a guest of the tests: bytes only, no JSON in it.
package main

import (
	"bytes"

	"wasmhost/pluginsdk"
)

//go:wasmexport run
func run() int32 {
	return pluginsdk.RunRaw(func(c pluginsdk.Call, input []byte) ([]byte, error) {
		return bytes.ToUpper(input), nil
	})
}

func main() {}
