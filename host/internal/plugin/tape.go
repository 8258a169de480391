package plugin

import (
	"net/http"
	"net/url"

	"wasmhost/host/event"
)

// tape is what one call did on the network, while it is being made or to be
// played back. A call is on one goroutine, and so is its tape.
type tape struct {
	http  []RecordedHTTP
	bytes int
	full  bool // it did more than fits: what is here is not all

	used []bool // of http, in a replay
	// lacks is what the call asked for and a replay does not have, the first of
	// it; "": nothing.
	lacks string
}

// add takes down a request and its answer.
func (t *tape) add(method string, u *url.URL, body []byte, got *httpState, answer []byte) {
	x := RecordedHTTP{Method: method, URL: u.String(), Status: got.status, Headers: got.headers, Body: answer}
	if len(body) > 0 {
		x.BodyDigest = digestOf(body)
	}
	t.bytes += x.size()
	if t.full = t.full || t.bytes > maxRecording; t.full {
		t.http = nil
		return
	}
	t.http = append(t.http, x)
}

func (x *RecordedHTTP) size() int {
	n := len(x.Method) + len(x.URL) + len(x.BodyDigest) + len(x.Body)
	for name, value := range x.Headers {
		n += len(name) + len(value)
	}
	return n
}

// lack notes something that a replay does not have.
func (t *tape) lack(what string) {
	if t != nil && t.lacks == "" {
		t.lacks = what
	}
}

// take is the first answer to such a request that was not given yet.
func (t *tape) take(method, target, digest string) (*RecordedHTTP, bool) {
	if t == nil {
		return nil, false
	}
	if t.used == nil {
		t.used = make([]bool, len(t.http))
	}
	for i := range t.http {
		if x := &t.http[i]; !t.used[i] && x.Method == method && x.URL == target && x.BodyDigest == digest {
			t.used[i] = true
			return x, true
		}
	}
	return nil, false
}

// unsent is a request that changes something and was not made again; "" when
// there is none. Those that only read may be left out.
func (t *tape) unsent() string {
	for i := range t.http {
		switch x := &t.http[i]; x.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
		default:
			if t.used == nil || !t.used[i] {
				return x.Method + " " + bareURL(x.URL)
			}
		}
	}
	return ""
}

// bareURL is shown, of text.
func bareURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "a URL that cannot be read"
	}
	return shown(u)
}

// replayed answers a request of a replica from its tape. What is not there ends
// the call: whatever came after could not be compared.
func (in *instance) replayed(method string, u *url.URL, body []byte) ([]byte, *event.Error) {
	in.http.requests++
	if limit := in.plugin.limits.HTTPRequests; in.http.requests > limit {
		return nil, in.httpFault(event.System, codeHTTPLimit, nil, "the call made more than %d http requests (limits.http_requests)", limit)
	}
	in.asked.HTTP++
	digest := ""
	if len(body) > 0 {
		digest = digestOf(body)
	}
	x, ok := in.tape.take(method, u.String(), digest)
	if !ok {
		what := method + " " + shown(u)
		in.tape.lack("the answer to " + what)
		return nil, fault(event.Permanent, codeDenied, "%s is not among what was recorded", what)
	}
	in.http.status, in.http.headers = x.Status, x.Headers
	in.asked.HTTPBytes += uint64(len(x.Body))
	return x.Body, nil
}
