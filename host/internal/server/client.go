package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"wasmhost/host/event"
)

// Client asks a server over HTTP. Its methods are those of Service, with the same
// errors; codes of its own are unreachable, bad_answer, unauthorized and
// forbidden. Safe for concurrent use.
type Client struct {
	base  string
	token string
	bad   error // of the URL
	http  *http.Client

	silences silences
}

// mostAnswer bounds what a server can make its client hold.
const mostAnswer = 1 << 30

// Dial makes a client of the server at a URL such as http://127.0.0.1:7070. It
// connects to nothing yet: a URL that makes no sense is told by the first call. token
// may be "" for a server without authentication.
func Dial(address, token string) *Client {
	c := &Client{token: token, silences: patient}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		c.bad = refusal("bad_request", fmt.Sprintf("%q is no address of a server; write it like http://127.0.0.1:7070", shorten(address)))
	case u.User != nil:
		c.bad = refusal("bad_request", "the address of the server holds a user or password; give the token by itself")
	default:
		c.base = strings.TrimSuffix(u.String(), "/")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}

// Close lets go of connections that are not in use.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// ask is one request.
type ask struct {
	method, path string
	query        url.Values
	body         []byte
	media        string
	last         string // Last-Event-ID
	long         bool   // compiles, checks or exports: its answer may take minutes
}

// jsonAsk has fields for its body.
func jsonAsk(method, path string, fields map[string]any) (ask, error) {
	body, err := json.Marshal(fields)
	return ask{method: method, path: path, body: body, media: "application/json"}, err
}

// part is a name in a path. One that could not be there as it stands is an error
// here, before it means another path there.
func part(name string) (string, error) {
	if !namePattern.MatchString(name) || strings.Trim(name, ".") == "" {
		return "", refusal("bad_id", fmt.Sprintf("%q is no id or name: it consists of the characters A-Z a-z 0-9 . _ -", shorten(name)))
	}
	return name, nil
}

// send makes the request. The answer is one that is no error.
func (c *Client) send(ctx context.Context, a ask) (*http.Response, error) {
	answer, err := c.exchange(ctx, a)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	return nil, c.refused(answer)
}

// exchange makes the request, and gives up when the server says nothing for too
// long.
func (c *Client) exchange(ctx context.Context, a ask) (*http.Response, error) {
	if c.bad != nil {
		return nil, c.bad
	}
	target := c.base + a.path
	if len(a.query) > 0 {
		target += "?" + a.query.Encode()
	}
	var body io.Reader
	if a.body != nil {
		body = bytes.NewReader(a.body)
	}
	within := c.silences.answer
	if a.long {
		within = c.silences.long
	}
	silence := newSilence(ctx, within)
	r, err := http.NewRequestWithContext(silence.ctx, a.method, target, body)
	if err != nil {
		silence.end()
		return nil, refusal("bad_request", err.Error())
	}
	if a.media != "" {
		r.Header.Set("Content-Type", a.media)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if a.last != "" {
		r.Header.Set("Last-Event-ID", a.last)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		err = c.unreachable(silence.ctx, err)
		silence.end()
		return nil, err
	}
	answer.Body = silence.over(answer.Body, c.silences.between)
	return answer, nil
}

// unreachable says in plain words why there was no answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	var silent *silentError
	if ctx.Err() != nil && !errors.As(context.Cause(ctx), &silent) {
		return ctx.Err()
	}
	why := err.Error()
	var named *net.DNSError
	var dead net.Error
	switch {
	case silent != nil || errors.As(err, &silent):
		why = silent.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "nothing listens there; is host serve running, and is the port right?"
	case errors.As(err, &named):
		why = fmt.Sprintf("there is no machine named %q", named.Name)
	case errors.As(err, &dead) && dead.Timeout():
		why = "it did not answer in time"
	case strings.Contains(why, "server gave HTTP response to HTTPS client"):
		why = "it speaks http, not https"
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
		why = "it closed the connection without an answer"
	default:
		var u *url.Error
		if errors.As(err, &u) {
			why = u.Err.Error()
		}
	}
	return &event.Error{Class: event.Transient, Code: "unreachable", Message: fmt.Sprintf("the server at %s cannot be reached: %s", c.base, why), Cause: err}
}

// refusedSwap is a swap that the server refused, as an error on its way to become
// a report.
type refusedSwap struct {
	err    *event.Error
	report *event.SwapReport
}

func (r *refusedSwap) Error() string { return r.err.Error() }
func (r *refusedSwap) Unwrap() error { return r.err }

// refused is the error of an answer.
func (c *Client) refused(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	var p Problem
	if answer.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(text, &p) != nil || p.Code == "" {
		return refusal("bad_answer", fmt.Sprintf("%s answered %s, in a way that host serve does not; is it the right address?", c.base, answer.Status))
	}
	e := &event.Error{Class: p.Class, Code: p.Code, Message: p.Detail, RetryAfterMS: p.RetryAfterMS}
	if p.Report != nil {
		return &refusedSwap{e, p.Report}
	}
	return e
}

// get asks and decodes the answer.
func (c *Client) get(ctx context.Context, a ask, to any) error {
	answer, err := c.send(ctx, a)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if to == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return refusal("bad_answer", fmt.Sprintf("%s%s answered something else than expected: %v; is it host serve, of this version?", c.base, a.path, err))
	}
	return nil
}

// raw asks for an answer that is no JSON.
func (c *Client) raw(ctx context.Context, a ask, w io.Writer) error {
	answer, err := c.send(ctx, a)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return c.unreachable(ctx, err)
	}
	return nil
}

// at is a GET of a path whose %s are names.
func at(method, path string, parts ...string) (ask, error) {
	var all []any
	for _, name := range parts {
		p, err := part(name)
		if err != nil {
			return ask{}, err
		}
		all = append(all, p)
	}
	return ask{method: method, path: fmt.Sprintf(path, all...)}, nil
}

// post is at with a body of fields.
func post(path string, name string, fields map[string]any) (ask, error) {
	p, err := part(name)
	if err != nil {
		return ask{}, err
	}
	return jsonAsk(http.MethodPost, fmt.Sprintf(path, p), fields)
}

// one asks for one value.
func one[T any](ctx context.Context, c *Client, a ask, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	var v T
	if err := c.get(ctx, a, &v); err != nil {
		return nil, err
	}
	return &v, nil
}

// retryPause is between attempts to come back to a stream.
func retryPause(attempt int) time.Duration {
	return min(200*time.Millisecond<<min(attempt, 5), 5*time.Second)
}
