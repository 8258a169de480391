package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"wasmhost/host/event"
)

const (
	maxHeaderBytes   = 256 << 10
	maxHeaderFields  = 256 // of a response
	maxRequestFields = 100
	maxRequestText   = 2 * maxHeaderBytes // as JSON, without the body
	maxRedirects     = 10
)

// httpState is what one call did on the network, and the last answer it got.
type httpState struct {
	status   int
	headers  map[string]string
	requests int
	bytes    int64
	// unsafe is true once a request that may change something has been sent.
	unsafe bool
}

// guestRequest is a request as PDKs write it.
type guestRequest struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
}

// httpRequest is extism:host/env http_request: it asks, under the plugin's
// permissions and limits, and gives the guest the body. Whatever goes wrong
// before there is an answer ends the call, with an error of its own: the ABI
// has no way to tell the guest.
func (in *instance) httpRequest(requestAt, bodyAt uint64) uint64 {
	in.http.status, in.http.headers = 0, nil
	text := in.mustRead("http_request", requestAt)
	if len(text) > maxRequestText {
		panic(in.httpFault(event.Permanent, codeHTTPLimit, nil, "the plugin's http request has %d bytes without its body, and %d are the most", len(text), maxRequestText))
	}
	var asked guestRequest
	if err := json.Unmarshal(text, &asked); err != nil {
		panic(in.httpFault(event.Permanent, codeHTTPRequest, nil, "the plugin's http request is not valid JSON: %v", err))
	}
	in.kernel.release(requestAt)
	body := bytes.Clone(in.mustRead("http_request", bodyAt))
	in.kernel.release(bodyAt)
	answer, err := in.roundTrip(asked, body)
	if err != nil {
		panic(err)
	}
	return in.mustWrite(answer)
}

func (in *instance) httpFault(class, code string, cause error, format string, a ...any) *event.Error {
	e := fault(class, code, format, a...)
	e.Cause, e.OutcomeUnknown = cause, in.http.unsafe
	return e
}

func (in *instance) roundTrip(asked guestRequest, body []byte) ([]byte, *event.Error) {
	net := in.plugin.network
	method := strings.ToUpper(asked.Method)
	if method == "" {
		method = http.MethodGet
	}
	u, err := url.Parse(asked.URL)
	if err != nil {
		return nil, in.httpFault(event.Permanent, codeHTTPRequest, nil, "the plugin asked for a URL that cannot be read: %v", bareError(err))
	}
	if !token(method) || method == http.MethodConnect || method == http.MethodTrace {
		return nil, in.httpFault(event.Permanent, codeDenied, nil, "the method %q is not allowed", printable(method))
	}
	if in.plugin.spec.withheld != nil {
		return in.replayed(method, u, body)
	}
	if err := net.permit(u); err != nil {
		return nil, in.httpFault(event.Permanent, codeDenied, nil, "%s %s: %v", method, shown(u), err)
	}
	var reader io.Reader
	if len(body) > 0 {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(in.ctx, method, u.String(), reader)
	if err != nil {
		return nil, in.httpFault(event.Permanent, codeHTTPRequest, nil, "%s %s: %v", method, shown(u), bareError(err))
	}
	if failed := in.setHeaders(req, asked.Headers); failed != nil {
		return nil, failed
	}
	trace := in.trace(req)
	began, received := time.Now(), in.asked.HTTPBytes
	answer, failed := in.exchange(req, method, u)
	in.exchanged(began, trace, method, u, body, int64(in.asked.HTTPBytes-received), answer, failed)
	return answer, failed
}

// exchange sends a request, follows where it is sent, and takes the answer in.
func (in *instance) exchange(req *http.Request, method string, u *url.URL) ([]byte, *event.Error) {
	client := &http.Client{Transport: &hop{in: in, first: u}, CheckRedirect: checkRedirect(in.plugin.network)}
	resp, err := client.Do(req)
	if err != nil {
		return nil, in.explainHTTP(method, u, err)
	}
	defer resp.Body.Close()
	return in.readAnswer(method, u, resp)
}

func (in *instance) setHeaders(req *http.Request, headers map[string]string) *event.Error {
	if len(headers) > maxRequestFields {
		return in.httpFault(event.Permanent, codeHTTPLimit, nil, "the request has %d headers, and %d are the most", len(headers), maxRequestFields)
	}
	total := 0
	for name, value := range headers {
		total += len(name) + len(value)
		switch {
		case !token(name):
			return in.httpFault(event.Permanent, codeHTTPRequest, nil, "%q is not the name of a header", printable(name))
		case strings.ContainsAny(value, "\r\n\x00"):
			return in.httpFault(event.Permanent, codeDenied, nil, "the header %s has a line end in its value", name)
		case forbiddenHeader(name):
			return in.httpFault(event.Permanent, codeDenied, nil, "the header %s belongs to the host; a plugin may not set it", name)
		case strings.EqualFold(name, "Content-Length"): // known from the body
		default:
			req.Header.Set(name, value)
		}
	}
	if total > maxHeaderBytes {
		return in.httpFault(event.Permanent, codeHTTPLimit, nil, "the request has %d bytes of headers, and %d are the most", total, maxHeaderBytes)
	}
	return nil
}

// hop sends one request of the chain that redirects make: it counts it, and
// puts the secrets into it, as long as it goes where the guest asked.
type hop struct {
	in    *instance
	first *url.URL
}

func (h *hop) RoundTrip(req *http.Request) (*http.Response, error) {
	in := h.in
	in.http.requests++
	if limit := in.plugin.limits.HTTPRequests; in.http.requests > limit {
		return nil, in.httpFault(event.System, codeHTTPLimit, nil, "the call made more than %d http requests (limits.http_requests)", limit)
	}
	in.http.bytes += max(req.ContentLength, 0)
	if limit := in.plugin.limits.HTTPBytes; in.http.bytes > limit {
		return nil, in.httpFault(event.System, codeHTTPLimit, nil, "the call sent and received more than %s by http (limits.http_bytes)", size(limit))
	}
	in.asked.HTTP++
	safe := req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if !safe {
			in.http.unsafe = true
		}
	}})
	req = req.Clone(ctx)
	if sameOrigin(req.URL, h.first) {
		for _, s := range in.plugin.network.secrets {
			if covers(s.to, req.URL) {
				req.Header.Set(s.header, s.value)
			}
		}
	}
	return in.plugin.network.transport.RoundTrip(req)
}

// keptAcross are the headers that a redirect to another origin may see.
var keptAcross = map[string]bool{
	"Accept": true, "Accept-Language": true, "Accept-Encoding": true, "Content-Type": true, "Range": true, "User-Agent": true,
}

// checkRedirect asks the permissions again for every redirect, and leaves what
// was meant for one origin there.
func checkRedirect(n *network) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fault(event.Permanent, codeHTTPFailed, "it redirects more than %d times", maxRedirects)
		}
		if err := n.permit(req.URL); err != nil {
			return fault(event.Permanent, codeDenied, "it redirects to %s: %v", shown(req.URL), err)
		}
		if !sameOrigin(req.URL, via[0].URL) {
			for name := range req.Header {
				if !keptAcross[name] {
					req.Header.Del(name)
				}
			}
		}
		return nil
	}
}

func (in *instance) explainHTTP(method string, u *url.URL, err error) *event.Error {
	what := method + " " + shown(u)
	var refused *event.Error
	var address *addressError
	switch {
	case errors.As(err, &refused):
		e := *refused
		e.OutcomeUnknown = e.OutcomeUnknown || in.http.unsafe
		if !strings.HasPrefix(e.Message, "the call ") {
			e.Message = what + ": " + e.Message
		}
		return &e
	case in.ctx.Err() != nil:
		e := overContext(in.ctx, "the plugin waited for "+what)
		e.OutcomeUnknown = true
		return e
	case errors.As(err, &address):
		return in.httpFault(event.Permanent, codeDenied, nil, "%s: %v", what, address)
	}
	return in.httpFault(event.Transient, codeHTTPFailed, err, "%s: %v", what, bareError(err))
}

// readAnswer takes the answer in, as far as it is allowed to be, with the
// secrets that the guest does not hold taken out.
func (in *instance) readAnswer(method string, u *url.URL, resp *http.Response) ([]byte, *event.Error) {
	fields := 0
	for _, values := range resp.Header {
		fields += len(values)
	}
	if fields > maxHeaderFields {
		return nil, in.httpFault(event.Permanent, codeHTTPLimit, nil, "%s %s: the answer has %d header fields, and %d are the most", method, shown(u), fields, maxHeaderFields)
	}
	limit := in.plugin.limits.HTTPBytes
	left := limit - in.http.bytes
	// The limit is on what is handed over: what was compressed is counted as it
	// comes out, and no more of it is taken out than that.
	body, err := io.ReadAll(io.LimitReader(resp.Body, left+1))
	in.http.bytes += int64(len(body))
	in.asked.HTTPBytes += uint64(len(body))
	if err != nil {
		return nil, in.explainHTTP(method, u, fmt.Errorf("the answer was cut off after %d bytes: %w", len(body), err))
	}
	if int64(len(body)) > left {
		return nil, in.httpFault(event.System, codeHTTPLimit, nil, "%s %s: with this answer the call sent and received more than %s by http (limits.http_bytes)", method, shown(u), size(limit))
	}
	hidden := in.plugin.network.masks
	in.http.status = resp.StatusCode
	in.http.headers = make(map[string]string, len(resp.Header))
	for name, values := range resp.Header {
		in.http.headers[strings.ToLower(name)] = hidden.text(strings.Join(values, ","))
	}
	return hidden.bytes(body), nil
}

// httpHeaders is extism:host/env http_headers: the last answer's, as JSON.
func (in *instance) httpHeaders() uint64 {
	if in.http.headers == nil {
		return 0
	}
	text, err := json.Marshal(in.http.headers)
	if err != nil {
		panic(err)
	}
	return in.mustWrite(text)
}

// shown is a URL without its query, in which secrets travel.
func shown(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return printable(s)
}
