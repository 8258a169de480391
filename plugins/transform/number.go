package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// decode reads JSON for expressions, which compute with int and float64 and
// know no json.Number. Whole numbers up to 64 bits stay whole; larger ones,
// such as some ids, keep their digits but cannot be computed with; the rest
// are float64.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more text after the JSON value")
	}
	return numbers(v), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

func number(n json.Number) any {
	s := string(n)
	if i, err := strconv.Atoi(s); err == nil && s != "-0" {
		return i
	}
	if !strings.ContainsAny(s, ".eE") {
		return n
	}
	f, err := n.Float64()
	if err != nil { // beyond float64
		return n
	}
	return f
}
