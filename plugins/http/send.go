package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wasmhost/pluginsdk"
)

// request is the input. What it leaves out comes from the settings of the same
// name.
type request struct {
	Method  string            `json:"method,omitempty" doc:"default GET, or POST with a body"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    *string           `json:"body,omitempty" doc:"sent as it is"`
	JSON    json.RawMessage   `json:"json,omitempty" doc:"sent as JSON; not together with body"`
	Expect  expected          `json:"expect,omitempty" doc:"statuses that are a success: numbers, or groups such as \"2xx\"; default 2xx"`
}

// answer is the output: one of the three bodies.
type answer struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers" doc:"by lower-case name"`
	JSON       json.RawMessage   `json:"json,omitempty" doc:"the body, when it is declared and written as JSON"`
	Body       *string           `json:"body,omitempty" doc:"the body, when it is other text"`
	BodyBase64 string            `json:"body_base64,omitempty" doc:"the body, when it is not UTF-8"`
}

func send(c pluginsdk.Call, input []byte) (answer, error) {
	r, err := readRequest(c, input)
	if err != nil {
		return answer{}, err
	}
	sent := &pluginsdk.Request{Method: r.Method, URL: r.URL, Headers: map[string]string{}}
	if r.JSON != nil {
		sent.Headers["Content-Type"] = "application/json"
		sent.Body = r.JSON
	}
	if r.Body != nil {
		sent.Body = []byte(*r.Body)
	}
	for name, value := range r.Headers {
		for old := range sent.Headers {
			if strings.EqualFold(old, name) {
				delete(sent.Headers, old)
			}
		}
		sent.Headers[name] = value
	}
	response, err := c.HTTP(sent)
	if err != nil {
		return answer{}, err
	}
	if !r.Expect.allows(response.Status) {
		return answer{}, unexpected(r, response)
	}
	return read(response), nil
}

// readRequest reads the input: text is a URL, nothing is what the settings say.
func readRequest(c pluginsdk.Call, input []byte) (request, error) {
	var r request
	trimmed := bytes.TrimSpace(input)
	switch {
	case len(trimmed) > 0 && trimmed[0] == '{':
		var err error
		if r, err = pluginsdk.Read[request](trimmed); err != nil {
			return r, err
		}
	case string(trimmed) != "null":
		r.URL = string(trimmed)
	}
	if string(r.JSON) == "null" {
		r.JSON = nil
	}
	if r.URL == "" {
		r.URL = c.ConfigOr("url", "")
	}
	if r.URL == "" {
		return r, bad("there is no URL: give text, {url}, or set `url` in the plugin's config")
	}
	if !strings.HasPrefix(r.URL, "http://") && !strings.HasPrefix(r.URL, "https://") {
		return r, bad("the URL " + strconv.Quote(r.URL) + " does not begin with http:// or https://")
	}
	if r.Body != nil && r.JSON != nil {
		return r, bad("the input has both body and json: give one")
	}
	if r.Method == "" {
		r.Method = c.ConfigOr("method", "")
	}
	if r.Method == "" {
		r.Method = "GET"
		if r.Body != nil || r.JSON != nil {
			r.Method = "POST"
		}
	}
	r.Method = strings.ToUpper(r.Method)
	if r.Expect == nil {
		e, err := expectSetting(c)
		if err != nil {
			return r, err
		}
		r.Expect = e
	}
	return r, nil
}

func bad(message string) error { return pluginsdk.Permanent("bad_input", message) }

// unexpected is the failure for a status that was not asked for.
func unexpected(r request, response *pluginsdk.Response) error {
	e := pluginsdk.Permanent(strconv.Itoa(response.Status), r.Method+" "+r.URL+" answered "+
		strconv.Itoa(response.Status)+", expected "+r.Expect.String()+": "+excerpt(response.Body))
	if response.Transient() {
		e.Class = pluginsdk.ClassTransient
		e.RetryAfter = response.RetryAfter(time.Now())
	}
	return e
}

func read(response *pluginsdk.Response) answer {
	a := answer{Status: response.Status, Headers: response.Headers}
	kind, _, _ := strings.Cut(strings.ToLower(response.Header("content-type")), ";")
	kind = strings.TrimSpace(kind)
	switch {
	case !utf8.Valid(response.Body):
		a.BodyBase64 = base64.StdEncoding.EncodeToString(response.Body)
	case (kind == "application/json" || strings.HasSuffix(kind, "+json")) && json.Valid(response.Body):
		a.JSON = response.Body
	default:
		text := string(response.Body)
		a.Body = &text
	}
	return a
}

// excerpt is the beginning of a text, for messages.
func excerpt(text []byte) string {
	const most = 200
	s := strings.ToValidUTF8(strings.TrimSpace(string(text)), "�")
	if s == "" {
		return "(no body)"
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// check is a GET with the same expectations.
func check(c pluginsdk.Call) (map[string]any, error) {
	url, ok := c.Config("health_url." + c.Node())
	if !ok {
		url, ok = c.Config("health_url")
	}
	if !ok {
		url, ok = c.Config("url")
	}
	if !ok {
		return nil, pluginsdk.Permanent("bad_config", "there is no URL to check: set `health_url` or `url` in the plugin's config")
	}
	expect, err := expectSetting(c)
	if err != nil {
		return nil, err
	}
	response, err := c.HTTP(&pluginsdk.Request{Method: "GET", URL: url})
	if err != nil {
		return nil, err
	}
	if !expect.allows(response.Status) {
		return nil, unexpected(request{Method: "GET", URL: url, Expect: expect}, response)
	}
	return map[string]any{"url": url, "status": response.Status}, nil
}
