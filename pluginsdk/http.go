package pluginsdk

import (
	"strconv"
	"strings"
	"time"
)

// Request is an HTTP request.
type Request struct {
	// Method is GET when empty.
	Method string
	URL    string
	// Headers has one value a name. Host and hop-by-hop headers are refused by
	// the host.
	Headers map[string]string
	Body    []byte
}

// Response is the answer to a request.
type Response struct {
	Status int
	// Headers are by lower-case name; several values are joined by a comma.
	Headers map[string]string
	Body    []byte
}

// Header returns a header by its name in any case; empty where there is none.
func (r *Response) Header(name string) string { return r.Headers[strings.ToLower(name)] }

// RetryAfter is how long the server asked to be left alone, in seconds or as a
// date; 0 where it did not say or the date has passed.
func (r *Response) RetryAfter(now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(r.Header("retry-after-ms"), 64); err == nil && ms > 0 && ms < 1e12 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	return parseRetryAfter(r.Header("retry-after"), now)
}

// dateFormats are the three forms of a date that HTTP allows.
var dateFormats = []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}

func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		if s > 0 && s < 1e9 { // thirty years; a duration holds no more than 292
			return time.Duration(s * float64(time.Second))
		}
		return 0
	}
	for _, format := range dateFormats {
		if at, err := time.Parse(format, value); err == nil {
			return max(at.Sub(now), 0)
		}
	}
	return 0
}

// OK reports whether the status is 200 to 299.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status <= 299 }

// Err is nil for a status of 200 to 299, else an *Error: the code is the status
// in decimals, the class transient for 408, 425, 429, 500, 502, 503 and 504 and
// permanent for the rest, with the wait that the server asked for.
func (r *Response) Err(now time.Time) error {
	if r.OK() {
		return nil
	}
	e := Permanent(strconv.Itoa(r.Status), "the server answered "+strconv.Itoa(r.Status))
	if r.Transient() {
		e.Class = ClassTransient
		e.RetryAfter = r.RetryAfter(now)
	}
	return e
}

// Transient reports whether the status is one that may go away by itself.
func (r *Response) Transient() bool {
	switch r.Status {
	case 408, 425, 429, 500, 502, 503, 504:
		return true
	}
	return false
}
