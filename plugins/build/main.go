// Command build builds the modules of the first-party plugins from the folders
// beside it, and writes them where package plugins embeds them:
//
//	go run ./plugins/build
//
// Modules are the same byte for byte wherever they are built with the same
// toolchain, so it refuses any other than the pinned one. Each module gets its
// description as a custom section too, so that a host can read it without
// running the module.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Toolchain is the one that the committed modules are built with. A change of
// it changes every module.
const toolchain = "go1.26.8"

var names = []string{"agent", "http", "transform", "uppercase", "validate"}

func main() {
	out := flag.String("o", "plugins", "the folder to write to, from the top of the module")
	anyToolchain := flag.Bool("any-toolchain", false, "build with whatever Go is there; do not commit the result")
	flag.Parse()
	if err := build(*out, *anyToolchain); err != nil {
		fmt.Fprintln(os.Stderr, "plugins/build:", err)
		os.Exit(1)
	}
}

func build(out string, anyToolchain bool) error {
	if v := runtime.Version(); v != toolchain && !anyToolchain {
		return fmt.Errorf("this is %s, and the committed modules are built with %s: use that (GOTOOLCHAIN=%s), or -any-toolchain to try things", v, toolchain, toolchain)
	}
	top, err := topFolder()
	if err != nil {
		return err
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(top, out)
	}
	for _, name := range names {
		module, err := buildOne(top, name)
		if err != nil {
			return fmt.Errorf("building %s: %w", name, err)
		}
		file := filepath.Join(out, name+".wasm")
		if err := os.WriteFile(file, module, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s\t%d bytes\n", file, len(module))
	}
	return nil
}

// topFolder is where go.mod is: `go generate` starts in plugins.
func topFolder() (string, error) {
	file, err := goCommand("", nil, "env", "GOMOD")
	if err != nil {
		return "", err
	}
	path := strings.TrimSpace(string(file))
	if path == "" || path == os.DevNull {
		return "", errors.New("no go.mod here or above: start it inside the repository")
	}
	return filepath.Dir(path), nil
}

func buildOne(top, name string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "plugin-"+name+"-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, name+".wasm")
	// What the environment says must not change the module.
	wasm := []string{"GOOS=wasip1", "GOARCH=wasm", "GOWASM=", "GOEXPERIMENT=", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0"}
	if _, err := goCommand(top, wasm, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w", "-o", file, "./plugins/"+name); err != nil {
		return nil, err
	}
	module, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	description, err := goCommand(top, []string{"GOFLAGS=", "GOWORK=off"}, "run", "./plugins/"+name)
	if err != nil {
		return nil, fmt.Errorf("asking for its description: %w", err)
	}
	return appendSection(module, "describe", description), nil
}

func goCommand(dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}

// appendSection adds a custom section (id 0) at the end of a module, where the
// format allows one.
func appendSection(module []byte, name string, content []byte) []byte {
	body := binary.AppendUvarint(nil, uint64(len(name)))
	body = append(body, name...)
	body = append(body, content...)
	module = append(module, 0)
	module = binary.AppendUvarint(module, uint64(len(body)))
	return append(module, body...)
}
