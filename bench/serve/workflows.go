package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// waiting is how long a run of "waiting" lives.
const waiting = 3 * time.Second

// answering is a module whose function run returns n: 0 is success.
func answering(n byte) []byte {
	return []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x05\x01\x60\x00\x01\x7f" + // a function without parameters that returns an i32
		"\x03\x02\x01\x00" +
		"\x07\x07\x01\x03run\x00\x00" +
		"\x0a\x06\x01\x04\x00\x41" + string(rune(n)) + "\x0b")
}

// writeWorkflows writes what is run, and the two plugins of it.
func writeWorkflows(dir string) ([]string, error) {
	texts := map[string]string{
		"short.toml": `[plugins.noop]
source = "noop.wasm"
[nodes.a]
plugin = "noop"
[nodes.b]
plugin = "noop"
needs = ["a"]
[nodes.c]
plugin = "noop"
needs = ["b"]
`,
		// A failed attempt ten times a second, for ten minutes.
		"ticking.toml": `[plugins.failing]
source = "failing.wasm"
[nodes.tick]
plugin = "failing"
retry = { max_retries = 6000, backoff = "constant", base_delay = "100ms", on = ["unknown"] }
`,
		"waiting.toml": fmt.Sprintf(`[plugins.failing]
source = "failing.wasm"
[nodes.wait]
plugin = "failing"
retry = { max_retries = 1, backoff = "constant", base_delay = "%s", on = ["unknown"] }
[[nodes.wait.fallback]]
value = "waited"
`, waiting),
	}
	files := []string{}
	for name, text := range texts {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	for name, code := range map[string]byte{"noop.wasm": 0, "failing.wasm": 1} {
		if err := os.WriteFile(filepath.Join(dir, name), answering(code), 0o600); err != nil {
			return nil, err
		}
	}
	return files, nil
}
