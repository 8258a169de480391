package resilience

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	rules := &Classifier{Rules: []Rule{
		{Class: Permanent, Codes: []string{"invalid_input", "400", "404.0", "007"}},
		{Class: Transient, Match: regexp.MustCompile("(?i)try again")},
		{Class: System, Codes: []string{"E42"}, Match: regexp.MustCompile("disk on fire")},
	}}
	for name, c := range map[string]struct {
		c    *Classifier
		s    Signal
		want Class
	}{
		"declared beats all":            {rules, Signal{Declared: true, Class: Unknown, Code: "400", Message: "try again"}, Unknown},
		"declared without a class":      {rules, Signal{Declared: true, Code: "400"}, Permanent},
		"a rule by code":                {rules, Signal{Code: "invalid_input", Message: "timeout"}, Permanent},
		"a rule by number":              {rules, Signal{Code: "404"}, Permanent},
		"a rule by decimal":             {rules, Signal{Code: "+400.00"}, Permanent},
		"leading zeros":                 {rules, Signal{Code: "7"}, Permanent},
		"a rule by status":              {rules, Signal{HTTPStatus: 400}, Permanent},
		"a rule by message":             {rules, Signal{Message: "Please TRY AGAIN later, not found"}, Transient},
		"a rule beats the asker":        {rules, Signal{Class: System, Message: "try again"}, Transient},
		"a rule beats typed causes":     {rules, Signal{Code: "trap", Message: "try again"}, Transient},
		"either code or pattern: code":  {rules, Signal{Code: "E42"}, System},
		"either code or pattern: match": {rules, Signal{Code: "E43", Message: "disk on fire"}, System},
		"the asker's class":             {nil, Signal{Class: System, Message: "timeout"}, System},
		"a trap stays a trap":           {nil, Signal{Code: "trap", Message: "memory access out of bounds: connection timeout"}, System},
		"timeout code":                  {nil, Signal{Code: CodeTimeout, Message: "invalid"}, Transient},
		"a guest's timeout is words":    {nil, Signal{Code: "plugin.timeout", Message: "invalid"}, Permanent},
		"denied":                        {nil, Signal{Code: "denied"}, Permanent},
		"step limit":                    {nil, Signal{Code: "step_limit"}, System},
		"a number for a code is HTTP's": {nil, Signal{Code: "429", Message: "slow down"}, Transient},
		"501 is permanent":              {nil, Signal{HTTPStatus: 501, Message: "temporary"}, Permanent},
		"200 is no error":               {nil, Signal{HTTPStatus: 200, Message: "invalid"}, Permanent},
		"words: transient":              {nil, Signal{Message: "429 Too Many Requests"}, Transient},
		"words: permanent":              {nil, Signal{Message: "Unauthorized"}, Permanent},
		"words: system":                 {nil, Signal{Message: "out of MEMORY"}, System},
		"words: the first list":         {nil, Signal{Message: "invalid connection, no memory"}, Transient},
		"words: permanent over system":  {nil, Signal{Message: "resource not found"}, Permanent},
		"nothing":                       {nil, Signal{Message: "hm"}, Unknown},
		"nothing at all":                {&Classifier{}, Signal{}, Unknown},
		"words of the error":            {nil, Signal{Err: errors.New("service unavailable")}, Transient},
	} {
		if got := c.c.Classify(c.s); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	for status := range 700 {
		want := Class("")
		switch {
		case status == 408 || status == 425 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504:
			want = Transient
		case status >= 400 && status < 600:
			want = Permanent
		}
		if got := classOfStatus(status); got != want {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
	}
}

func TestFailureOfTypedErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		class   Class
		unknown bool
	}{
		"deadline of a context": {fmt.Errorf("invalid: %w", context.DeadlineExceeded), Transient, true},
		"cancelled context":     {context.Canceled, Unknown, true},
		"read deadline":         {os.ErrDeadlineExceeded, Transient, true},
		"cut off":               {io.ErrUnexpectedEOF, Transient, true},
		"reset":                 {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, Transient, true},
		"refused":               {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, Transient, false},
		"no such host":          {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}, Transient, false},
		"disk full":             {&fs.PathError{Op: "write", Err: syscall.ENOSPC}, System, false},
		"no such file":          {fs.ErrNotExist, Permanent, false},
		"not allowed":           {&fs.PathError{Op: "open", Err: syscall.EACCES}, Permanent, false},
		"plain":                 {errors.New("hm"), Unknown, false},
	} {
		f := DefaultClassifier.Failure(c.err)
		if f.Class != c.class || f.OutcomeUnknown != c.unknown || !errors.Is(f, c.err) || f.Message != c.err.Error() {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	if DefaultClassifier.Failure(nil) != nil {
		t.Error("no error is a failure")
	}
}

// Errors as they really come from the network.
func TestFailureOfRealNetworkErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		default:
			<-r.Context().Done()
		}
	}))
	client := &http.Client{Transport: &http.Transport{}}
	get := func(ctx context.Context, url string) error {
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	slow, cut := get(ctx, server.URL+"/slow"), get(t.Context(), server.URL+"/cut")
	server.Close()
	gone := get(t.Context(), server.URL)
	client.CloseIdleConnections()
	for name, c := range map[string]struct {
		err     error
		unknown bool
	}{"slow": {slow, true}, "cut": {cut, true}, "gone": {gone, false}} {
		if c.err == nil {
			t.Fatalf("%s: no error", name)
		}
		if f := DefaultClassifier.Failure(c.err); f.Class != Transient || f.OutcomeUnknown != c.unknown {
			t.Errorf("%s: %v: got %s, outcome unknown %v", name, c.err, f.Class, f.OutcomeUnknown)
		}
	}
}

type statusError struct{ status int }

func (e statusError) Error() string             { return fmt.Sprint("status ", e.status) }
func (e statusError) HTTPStatus() int           { return e.status }
func (e statusError) RetryAfter() time.Duration { return 3 * time.Second }
func (e statusError) Code() string              { return "upstream" }

type sdkError struct{}

func (sdkError) Error() string   { return "sdk" }
func (sdkError) StatusCode() int { return 404 }

func TestFailureHearsTheError(t *testing.T) {
	f := DefaultClassifier.Failure(fmt.Errorf("asking: %w", statusError{503}))
	if f.Class != Transient || f.RetryAfter != 3*time.Second || f.Code != "upstream" || f.Message != "asking: status 503" {
		t.Errorf("got %+v", f)
	}
	if f := DefaultClassifier.Failure(sdkError{}); f.Class != Permanent {
		t.Errorf("got %+v", f)
	}
	own := &Failure{Class: System, Code: "x", RetryAfter: 1, OutcomeUnknown: true}
	if DefaultClassifier.Failure(own) != own {
		t.Error("a failure was changed")
	}
	if f := DefaultClassifier.Failure(fmt.Errorf("while asking: %w", own)); f.Class != System || f.Code != "x" || f.RetryAfter != 1 || !f.OutcomeUnknown || f.Message != "while asking: x: " {
		t.Errorf("got %+v", f)
	}
}

func FuzzSameCode(f *testing.F) {
	for _, s := range []string{"404", "404.0", "-0", "+7", "007", ".5", "1.", "1e3", "", "invalid_input", "٣"} {
		f.Add(s, "404")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !sameCode(a, a) || sameCode(a, b) != sameCode(b, a) {
			t.Fatalf("%q and %q", a, b)
		}
		_, okA := decimal(a)
		_, okB := decimal(b)
		if !okA || !okB || len(a)+len(b) > 1000 {
			return
		}
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if sameCode(a, b) != (x.Cmp(y) == 0) {
			t.Fatalf("%q and %q: %v", a, b, sameCode(a, b))
		}
	})
}
