// Command goecho is the Go-built guest of the benchmarks of calls: what comes in
// goes out. They build it with the plain Go toolchain; nothing of it is
// committed but this.
package main

import "wasmhost/pluginsdk"

//go:wasmexport echo
func echo() int32 {
	return pluginsdk.RunRaw(func(_ pluginsdk.Call, input []byte) ([]byte, error) { return input, nil })
}

//go:wasmexport nothing
func nothing() {}

func main() {}
