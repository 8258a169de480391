// Package nethttp lets plugins use net/http through their host: clients of
// services that take an *http.Client work unchanged. It makes a module about
// three times as big; [pluginsdk.Call.HTTP] does without.
package nethttp

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"wasmhost/pluginsdk"
)

// Transport sends requests through the host of a call. Bodies are read whole,
// in both directions. A request ends with the call, not with its own context:
// the module does not run while the host waits for the answer. The host
// follows redirects itself.
type Transport struct{ Call pluginsdk.Call }

// Client is an http.Client that sends requests through the host of c.
func Client(c pluginsdk.Call) *http.Client { return &http.Client{Transport: Transport{c}} }

// RoundTrip sends one request.
func (t Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		defer request.Body.Close()
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, fmt.Errorf("reading the body of the request to %s: %w", request.URL.Redacted(), err)
		}
	}
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	headers := make(map[string]string, len(request.Header))
	for name, values := range request.Header {
		headers[name] = strings.Join(values, ",")
	}
	answer, err := t.Call.HTTP(&pluginsdk.Request{Method: request.Method, URL: request.URL.String(), Headers: headers, Body: body})
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for name, value := range answer.Headers {
		header.Set(name, value)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", answer.Status, http.StatusText(answer.Status)), StatusCode: answer.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: int64(len(answer.Body)),
		Body: io.NopCloser(bytes.NewReader(answer.Body)), Request: request,
	}, nil
}
