package plugin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"wasmhost/host/event"
)

// TestHostCalls counts what calls ask of the host, each by itself, whether the
// instance served others before or failed.
func TestHostCalls(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("twelve bytes")) }))
	defer server.Close()
	probe := Spec{Source: "probe.wasm", Dir: guests, Config: map[string]string{"key": "value"}, Allow: Allow{HTTP: []string{server.URL}}}
	files := guest("files")
	files.Allow.FS = []Mount{{Path: t.TempDir(), At: "/"}}
	write(t, files.Allow.FS[0].Path+"/x", "some")
	failing := guest("command")
	failing.Args = []string{"exit", "3"}
	for _, c := range []struct {
		spec         Spec
		function, in string
		want         event.HostCalls
	}{
		{probe, "nothing", "", event.HostCalls{}},
		{probe, "echo", "input and output are no host calls", event.HostCalls{}},
		{probe, "config", "key", event.HostCalls{Config: 1}},
		{probe, "config", "no key", event.HostCalls{Config: 1}},
		{probe, "var", "v", event.HostCalls{Vars: 2}},
		{probe, "log", "two\nlines", event.HostCalls{Logs: 5}},
		{probe, "print", "", event.HostCalls{Logs: 3}},
		{probe, "nap", "", event.HostCalls{Sleeps: 1}},
		{probe, "http", `{"url":"` + server.URL + `/"}`, event.HostCalls{HTTP: 1, HTTPBytes: 12}},
		{probe, "http", `{"url":"http://elsewhere.example/"}`, event.HostCalls{}}, // refused
		{files, "read", "x", event.HostCalls{Files: 1}},
		{files, "read", "not there", event.HostCalls{}},
		{files, "descriptor", "x", event.HostCalls{Files: 2}},
		{failing, "run", "", event.HostCalls{Logs: 2}},
	} {
		for _, reset := range []string{ResetCall, ResetInstance, ResetNever} {
			c.spec.Reset = reset
			p := load(t, c.spec)
			for range 3 {
				a, _ := p.Call(t.Context(), Call{Function: c.function, Input: []byte(c.in), Log: func(string, string) {}})
				if a.HostCalls != c.want {
					t.Errorf("%s(%q), reset %s: %+v, not %+v", c.function, c.in, reset, a.HostCalls, c.want)
				}
			}
		}
	}
}
