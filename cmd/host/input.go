package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host/event"
)

func inputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "input", Aliases: []string{"i"}, EnvVars: []string{"HOST_INPUT"}, Usage: "`JSON|@FILE|-` the input; - reads stdin; what is no JSON is a string"},
	}
}

// input is the value of --input, if it was given.
func (a *app) input() (event.Value, bool, error) {
	if !a.c.IsSet("input") || !a.given["input"] && a.c.String("input") == "" {
		return event.Null, false, nil
	}
	v, err := a.readValue("input", a.c.String("input"))
	return v, err == nil, err
}

// readValue reads the value of a flag: JSON, @FILE, - for stdin, or a text.
func (a *app) readValue(flag, given string) (event.Value, error) {
	text, what := []byte(given), "--"+flag
	var err error
	switch {
	case given == "-":
		what = "stdin"
		text, err = a.readAll()
	case given == "@":
		return event.Null, usage("--%s @: the name of a file is missing", flag).with("for instance --" + flag + " @text.txt; a text that begins with @ is written as JSON, in quotes")
	case strings.HasPrefix(given, "@"):
		what = given[1:]
		text, err = os.ReadFile(what)
	}
	if exit := interrupted(a.ctx); exit != 0 {
		return event.Null, &failure{exit: exit, message: "interrupted while reading the " + flag}
	}
	if err != nil {
		f := usage("the %s cannot be read: %v", flag, err)
		if os.IsNotExist(err) {
			f = f.with("check the path; a text that begins with @ is written as JSON, in quotes")
		}
		return event.Null, f
	}
	if flag == "answer" {
		if err := slipped(text); err != nil {
			return event.Null, usage("--answer begins like JSON and is none: %v", err).with("mend it; a text that begins with a bracket is written as JSON, in quotes. Nothing was decided")
		}
	}
	v, err := event.FromOutput(text)
	if err != nil {
		return event.Null, usage("the %s (%s) is %v", flag, clean(what), err).with("it is JSON or text; encode binary data, for instance as base64 in a JSON string")
	}
	return v, nil
}

// slipped is what is wrong with a text that begins as an object or a list: what
// a person decides shall not become a string because of a slip.
func slipped(text []byte) error {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("{")) && !bytes.HasPrefix(text, []byte("[")) {
		return nil
	}
	var v any
	return json.Unmarshal(text, &v)
}

// readAll reads stdin, until ctrl-C.
func (a *app) readAll() ([]byte, error) {
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		text, err := io.ReadAll(a.in)
		done <- read{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-a.ctx.Done():
		return nil, context.Cause(a.ctx)
	}
}

// set puts the values of --set onto an input. Each is PATH=VALUE, the path with
// dots between its keys (a list's are numbers; a backslash keeps a dot), the
// value JSON or else a string.
func set(input event.Value, assignments []string) (event.Value, error) {
	v := input.Any()
	for _, as := range assignments {
		path, text, ok := strings.Cut(as, "=")
		if !ok || path == "" {
			return event.Null, usage("--set %s: write it as KEY=VALUE", clean(as)).with(`for instance --set user.name=Ada, or --set 'tags=["a","b"]'`)
		}
		value, err := event.FromOutput([]byte(text))
		if err != nil {
			return event.Null, usage("--set %s: the value is %v", clean(path), err)
		}
		if v, err = put(v, splitPath(path), value.Any()); err != nil {
			return event.Null, usage("--set %s: %v", clean(path), err)
		}
	}
	return event.Of(v), nil
}

func splitPath(path string) []string {
	var keys []string
	var key strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path):
			i++
			key.WriteByte(path[i])
		case path[i] == '.':
			keys = append(keys, key.String())
			key.Reset()
		default:
			key.WriteByte(path[i])
		}
	}
	return append(keys, key.String())
}

// put returns v with one place replaced; v itself is left as it is.
func put(v any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	switch old := v.(type) {
	case nil:
		inner, err := put(nil, path[1:], value)
		return map[string]any{path[0]: inner}, err
	case map[string]any:
		inner, err := put(old[path[0]], path[1:], value)
		if err != nil {
			return nil, err
		}
		next := make(map[string]any, len(old)+1)
		for k, x := range old {
			next[k] = x
		}
		next[path[0]] = inner
		return next, nil
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i > len(old) {
			return nil, fmt.Errorf("%q is no place in a list of %d; the next free one is %d", path[0], len(old), len(old))
		}
		next := slices.Clone(old)
		if i == len(old) {
			next = append(next, nil)
		}
		next[i], err = put(next[i], path[1:], value)
		return next, err
	}
	return nil, fmt.Errorf("the input has no key %q there: it is %s", path[0], kindOf(v))
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case nil:
		return "null"
	}
	return "a number"
}
