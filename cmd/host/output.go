package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// writeJSON writes v, over several lines for people when indent is set.
func writeJSON(w io.Writer, v any, indent bool) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// writeList writes a list in the forms for programs. False leaves the text to
// the caller.
func writeList[T any](a *app, all []T) (written bool, err error) {
	switch a.format {
	case "json":
		return true, writeJSON(a.out, append([]T{}, all...), true)
	case "jsonl":
		for i := range all {
			if err := writeJSON(a.out, &all[i], false); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	return a.format == "quiet", nil
}

// writeValue writes a value as -o text does: a string raw, anything else as
// JSON, with a line break at the end. Control characters of a string are kept
// from a terminal.
func writeValue(w io.Writer, v event.Value) error {
	if s, ok := v.Str(); ok {
		if isTerminal(w) {
			s = cleanLines(s)
		}
		if !strings.HasSuffix(s, "\n") {
			s += "\n"
		}
		_, err := io.WriteString(w, s)
		return err
	}
	return writeJSON(w, v, true)
}

// load reads a workflow file, tells what was found and fails when that is an
// error. A folder stands for its workflow.toml.
func (a *app) load(h *host.Host, file string) (*host.Workflow, error) {
	file, err := workflowFile(file)
	if err != nil {
		return nil, err
	}
	w, findings, err := h.Load(a.ctx, file)
	if exit := interrupted(a.ctx); exit != 0 {
		return nil, &failure{exit: exit, message: context.Cause(a.ctx).Error()}
	}
	if len(findings) > 0 && (a.format != "quiet" || err != nil) {
		workflow.Format(a.err, findings, nil, a.colourful(a.err))
	}
	if err != nil {
		return nil, invalid(file, findings)
	}
	return w, nil
}

func workflowFile(file string) (string, error) {
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		inside := filepath.Join(file, "workflow.toml")
		if _, err := os.Stat(inside); err == nil {
			return inside, nil
		}
		return "", &failure{exit: exitNotFound, message: fmt.Sprintf("the folder %s holds no workflow.toml", clean(file)),
			hint: fmt.Sprintf("name the workflow file, or make one: host init %s", clean(file))}
	}
	if os.IsNotExist(err) {
		return "", &failure{exit: exitNotFound, message: fmt.Sprintf("there is no file %s", clean(file)), hint: `check the path, or make a first workflow: host init my-flow`}
	}
	if isModule(file) {
		return "", &failure{exit: exitInvalid, message: fmt.Sprintf("%s is a WebAssembly module, and no workflow file", clean(file)),
			hint: fmt.Sprintf("to call it: host call %s; a workflow names it as source of a plugin", clean(file))}
	}
	return file, nil
}

// isModule reports whether a file begins as every WebAssembly module does. Read
// as TOML it would have a mistake on every line.
func isModule(file string) bool {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return false // a pipe would not open; whoever reads it says so
	}
	f, err := os.Open(file)
	if err != nil {
		return false // whoever reads it says so
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == "\x00asm"
}

// invalid is the failure for findings of which at least one is an error.
func invalid(file string, findings []workflow.Finding) *failure {
	errors, _ := tally(findings)
	f := &failure{exit: exitOfFindings(findings), message: fmt.Sprintf("%s is not valid: %s", clean(file), counted(errors, "error"))}
	if errors > 0 {
		f.hint = "host explain " + firstError(findings) + " says more about the first of them"
	}
	return f
}

func firstError(findings []workflow.Finding) string {
	for _, f := range findings {
		if f.Severity == workflow.Error {
			return f.Code
		}
	}
	return ""
}
