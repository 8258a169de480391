package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
	"unicode/utf8"

	"wasmhost/host/event"
)

// What the decoder of requests takes is one JSON object with known fields, each
// once, and it finds in it what encoding/json finds.
func FuzzDecodeObject(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"input": 1, "run_id": "a", "wait": true}`, `{"input": {"a": [1, null]}}`, `{"INPUT": 1}`, `{"input":1,"input":2}`, `{} {}`, "{\"input\":\"\xff\"}", `{"run_id":null}`, `[`, `{"input":1]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var input event.Value
		var has bool
		var id string
		if decodeObject(body, value("input", &input, &has), into("run_id", &id)) != nil {
			return
		}
		if len(bytes.TrimSpace(body)) == 0 {
			return
		}
		var plain map[string]json.RawMessage
		if !utf8.Valid(body) || json.Unmarshal(body, &plain) != nil {
			t.Fatalf("%q was taken", body)
		}
		if _, there := plain["input"]; there != has {
			t.Fatalf("%q: input %t", body, has)
		}
		var want string
		_ = json.Unmarshal(plain["run_id"], &want)
		if id != want || len(plain) > 2 || has && !json.Valid(input.JSON()) {
			t.Fatalf("%q: run id %q, want %q", body, id, want)
		}
	})
}

func FuzzParseSeq(f *testing.F) {
	for _, s := range []string{"", "0", "1", "007", "-1", "+1", "9223372036854775807", "9223372036854775808", "1e3", " 1", "\u0661"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseSeq(text)
		if err == nil && text != "" && strconv.FormatUint(n, 10) != text {
			t.Fatalf("%q is %d", text, n)
		}
		if n > 1<<63-1 {
			t.Fatalf("%d is no number that a journal has", n)
		}
	})
}

func FuzzParseSignature(f *testing.F) {
	for _, s := range []string{"", "sha256=", sign("x"), "sha256=" + sign("x"), "sha1=" + sign("x"), "sha256=sha256=" + sign("x"), " " + sign("") + " "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if sum, ok := parseSignature([]string{text}); ok != (len(sum) == 32) && ok {
			t.Fatalf("%q has %d bytes", text, len(sum))
		}
		if _, ok := parseSignature([]string{text, text}); ok {
			t.Fatal("two headers are one")
		}
	})
}

// What a stream sends, a client reads again, whatever a plugin logs.
func FuzzMessage(f *testing.F) {
	f.Add("hello", "a")
	f.Add("two\nlines\r\n\r\nevent: end\n\n", "x/y[3]")
	f.Fuzz(func(t *testing.T, message, node string) {
		if !utf8.ValidString(message) || !utf8.ValidString(node) {
			return
		}
		fr, err := frameOf(&event.Event{Seq: 7, Type: event.Log, Message: message, Node: node})
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReaderSize(bytes.NewReader(fr.text), 16)
		kind, data, err := readMessage(in)
		var e event.Event
		if err != nil || kind != "log" || json.Unmarshal(data, &e) != nil || e.Message != message || e.Node != node {
			t.Fatalf("%q became %q %q %v", message, kind, data, err)
		}
		if _, _, err := readMessage(in); err == nil {
			t.Fatalf("%q became two messages", message)
		}
	})
}
