// Package pluginsdk is what a plugin written in Go is made with: an author
// writes one typed function, exports it, and builds it with the plain Go
// toolchain.
//
//	package main
//
//	import "wasmhost/pluginsdk"
//
//	type In struct{ Text string `json:"text"` }
//	type Out struct{ Words int `json:"words"` }
//
//	func count(c pluginsdk.Call, in In) (Out, error) {
//		if in.Text == "" {
//			return Out{}, pluginsdk.Permanent("empty", "there is no text to count")
//		}
//		return Out{Words: len(strings.Fields(in.Text))}, nil
//	}
//
//	//go:wasmexport run
//	func run() int32 { return pluginsdk.Run(count) }
//
//	func main() {}
//
// It is built into a module with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w' -o plugin.wasm .
//
// and natively into an ordinary program, so that handlers have ordinary unit
// tests: see [wasmhost/pluginsdk/pluginsdktest].
//
// The package speaks the Extism ABI to the host around the module. It knows
// nothing of workflows, retries or hosts, and imports the standard library
// only; net/http, which makes a module three times as big, is left to
// [wasmhost/pluginsdk/nethttp].
package pluginsdk
