// Package pluginsdktest is a host for the unit tests of a plugin: the plugin
// runs as an ordinary program, with settings and variables from maps, logs kept
// in a list, and HTTP that is real. It enforces no permission and no limit.
package pluginsdktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"wasmhost/pluginsdk"
)

// Host is a host for one test. The zero Host has no settings and sends requests
// with http.DefaultClient. It is for one goroutine at a time.
type Host struct {
	// Config are the settings; "secret.NAME" and "host.…" are ordinary keys.
	// "host.deadline_ms" is in milliseconds since 1970.
	Config map[string]string
	// Vars are the variables; they stay from call to call.
	Vars map[string][]byte
	// Client sends the requests; nil: http.DefaultClient.
	Client *http.Client
	// MinLevel is the least important level that is kept; default: all.
	MinLevel pluginsdk.Level

	// Logs are the lines so far.
	Logs []Line
	// Requests are the requests so far.
	Requests []*pluginsdk.Request

	input, output, failure []byte
}

// Line is one line of the log.
type Line struct {
	Level   pluginsdk.Level
	Message string
}

// Result is what one call of an export came to.
type Result struct {
	// Code is what the export returned: 0 succeeded.
	Code   int32
	Output []byte
	// Error is the failure, nil when Code is 0.
	Error *pluginsdk.Error
	// Warnings came beside the output.
	Warnings []*pluginsdk.Error
}

// JSON reads the output into v.
func (r Result) JSON(v any) error {
	if r.Error != nil {
		return fmt.Errorf("the call failed: %w", r.Error)
	}
	return json.Unmarshal(r.Output, v)
}

// Call is a call on this host, for tests that call a handler directly.
func (h *Host) Call() pluginsdk.Call { return pluginsdk.CallOn(inside{h}) }

// Run calls an export as a host would. A string and a []byte are given to it as
// they are, nil as nothing, everything else as JSON.
func (h *Host) Run(export func() int32, input any) Result {
	h.output, h.failure = nil, nil
	switch in := input.(type) {
	case nil:
		h.input = nil
	case string:
		h.input = []byte(in)
	case []byte:
		h.input = in
	default:
		text, err := json.Marshal(in)
		if err != nil {
			panic("pluginsdktest: the input cannot be written as JSON: " + err.Error())
		}
		h.input = text
	}
	undo := pluginsdk.UseHost(inside{h})
	defer undo()
	r := Result{Code: export(), Output: h.output}
	told := readErrors(h.failure)
	if r.Code != 0 {
		r.Error = &pluginsdk.Error{Message: "the plugin gave no reason"}
		if len(told) > 0 {
			r.Error = told[0]
		}
		return r
	}
	r.Warnings = told
	return r
}

// readErrors reads what the plugin told with error_set: plain text, an object
// or a list of objects.
func readErrors(text []byte) []*pluginsdk.Error {
	if len(text) == 0 {
		return nil
	}
	type wire struct {
		Class, Code, Message string
		RetryAfterMS         int64 `json:"retry_after_ms"`
	}
	var list []wire
	if json.Unmarshal(text, &list) != nil {
		var one wire
		if json.Unmarshal(text, &one) != nil {
			one = wire{Message: string(text)}
		}
		list = []wire{one}
	}
	errs := make([]*pluginsdk.Error, len(list))
	for i, w := range list {
		errs[i] = &pluginsdk.Error{Class: w.Class, Code: w.Code, Message: w.Message,
			RetryAfter: time.Duration(w.RetryAfterMS) * time.Millisecond}
	}
	return errs
}

// inside is the host as the plugin's side of the SDK sees it.
type inside struct{ h *Host }

func (i inside) Input() []byte { return i.h.input }

func (i inside) Output(output []byte) { i.h.output = output }

func (i inside) Fail(text []byte) { i.h.failure = text }

func (i inside) Config(key string) (string, bool) {
	value := i.h.Config[key]
	return value, value != ""
}

func (i inside) Var(key string) ([]byte, bool) {
	value := i.h.Vars[key]
	return value, len(value) > 0
}

func (i inside) SetVar(key string, value []byte) {
	if len(value) == 0 {
		delete(i.h.Vars, key)
		return
	}
	if i.h.Vars == nil {
		i.h.Vars = map[string][]byte{}
	}
	i.h.Vars[key] = bytes.Clone(value)
}

func (i inside) Logs(level pluginsdk.Level) bool { return level >= i.h.MinLevel }

func (i inside) Log(level pluginsdk.Level, message string) {
	i.h.Logs = append(i.h.Logs, Line{level, message})
}

func (i inside) HTTP(r *pluginsdk.Request) (*pluginsdk.Response, error) {
	i.h.Requests = append(i.h.Requests, r)
	request, err := http.NewRequest(r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, noAnswer(r, err)
	}
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	client := i.h.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, noAnswer(r, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, noAnswer(r, err)
	}
	headers := map[string]string{}
	for name, values := range answer.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return &pluginsdk.Response{Status: answer.StatusCode, Headers: headers, Body: body}, nil
}

func noAnswer(r *pluginsdk.Request, err error) error {
	return pluginsdk.Transient("no_answer", "no answer from "+r.URL+": "+err.Error()).Because(err)
}
