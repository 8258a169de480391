package pluginsdk

import "sort"

// head is the request without its body, as the ABI wants it. The order of the
// headers is fixed, so that a recorded call can be compared with a repeated one.
func (r *Request) head() []byte {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	b := appendQuoted([]byte(`{"method":`), method)
	b = appendQuoted(append(b, `,"url":`...), r.URL)
	b = append(b, `,"headers":{`...)
	names := make([]string, 0, len(r.Headers))
	for name := range r.Headers {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, name)
		b = appendQuoted(append(b, ':'), r.Headers[name])
	}
	return append(b, "}}"...)
}

// noAnswer is for hosts that report status 0 and go on with the call.
func noAnswer(r *Request, reason string) *Error {
	if reason == "" {
		reason = "the host gave no reason"
	}
	return Transient("no_answer", "no answer from "+r.URL+": "+reason)
}
