package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"wasmhost/host/event"
)

// ServeHTTP looks at a request before anybody else does, and finds its route.
func (s *Server) ServeHTTP(plain http.ResponseWriter, r *http.Request) {
	w := newResponder(plain, s.limits.WriteTime)
	protect(w.Header())
	if err := s.first(r); err != nil {
		s.refuse(w, r, nil, ProblemOf(err))
		return
	}
	found, pattern := s.mux.Handler(r)
	if pattern == "" {
		if wantsPage(r) { // its frame is that of who is logged in
			who, _ := s.identify(r)
			r = r.WithContext(withIdentity(r.Context(), who))
		}
		s.refuse(w, r, nil, lost(found, r))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// first are the checks that need no route.
func (s *Server) first(r *http.Request) error {
	if err := s.checkHeaders(r); err != nil {
		return err
	}
	if err := checkPath(r); err != nil {
		return err
	}
	return s.checkHost(r)
}

// checkPath refuses a path that means different things to different readers.
func checkPath(r *http.Request) error {
	bad := func(why string) error {
		return refusal("bad_path", fmt.Sprintf("the path %q %s", shorten(r.URL.EscapedPath()), why))
	}
	path := r.URL.Path
	switch {
	case !strings.HasPrefix(path, "/"):
		return bad("does not begin with a slash")
	case !utf8.ValidString(path):
		return bad("is not UTF-8")
	case strings.Contains(strings.ToLower(r.URL.EscapedPath()), "%2f") || strings.Contains(path, `\`):
		return bad("has a slash in a segment")
	case strings.ContainsFunc(path, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return bad("has control characters")
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if part == "." || part == ".." {
			return bad("has dots for a segment")
		}
	}
	if strings.Contains(path, "//") {
		return bad("has an empty segment")
	}
	if !utf8.ValidString(r.URL.RawQuery) {
		return bad("has a query that is not UTF-8")
	}
	return nil
}

// lost is the problem of a request that no route takes, in the words of the mux.
func lost(found http.Handler, r *http.Request) *Problem {
	h := headerOnly{header: http.Header{}}
	found.ServeHTTP(&h, r)
	if h.status == http.StatusMethodNotAllowed {
		allow := h.header.Get("Allow")
		p := ProblemOf(refusal("method_not_allowed", fmt.Sprintf("%s is not done to %s; there is %s", shorten(r.Method), shorten(r.URL.Path), allow)))
		p.allow = allow
		return p
	}
	return ProblemOf(refusal("not_found", fmt.Sprintf("there is nothing at %s", shorten(r.URL.Path))))
}

// headerOnly takes an answer whose body nobody reads.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }

// serve brings a request through the guards of its route to its handler, and
// tells the log and the audit what became of it.
func (s *Server) serve(route *route, plain http.ResponseWriter, r *http.Request) {
	w, ok := plain.(*responder)
	if !ok {
		w = newResponder(plain, s.limits.WriteTime)
	}
	c := &call{Server: s, w: w, r: r, route: route, change: &Change{action: route.action, Target: target(r)}, release: func() {}}
	began := time.Now()
	id := requestID()
	noted, audited := true, false
	// Who has the answer to a change finds the audit of it.
	audit := func() {
		if audited || !noted || c.quiet || c.change.action == "" {
			return
		}
		audited = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.limits.WorkTime)
		defer cancel()
		s.cfg.Service.Audit(ctx, c.change.entry(c.who, address(r), w.status, event.Audit{Time: s.now().UTC()}))
	}
	w.before = audit
	noted, err := s.guarded(c)
	var failed *Problem
	if err != nil {
		c.change.Err = err
		failed = ProblemOf(err)
		failed.Instance = "urn:host:request:" + id
		switch {
		case w.status != 0:
			// The answer has begun: all that is left is not to let it look whole.
			defer panic(http.ErrAbortHandler)
		case c.reached:
			s.answerProblem(w, c.r, route, failed)
		default:
			s.refuse(w, c.r, route, failed)
		}
	}
	noted = noted && !c.quiet
	audit()                                // of what was answered with nothing
	if err == nil && c.change.Err != nil { // the answer tells of it by itself
		err, failed = c.change.Err, ProblemOf(c.change.Err)
	}
	took := time.Since(began)
	if noted {
		s.tell(c, id, took, err, failed)
	}
	if s.cfg.Answered != nil && !route.stream {
		s.cfg.Answered(route.pattern, r.Method, w.status, took)
	}
}

// guarded are the guards and the handler. noted is false for one refusal too
// many of a caller that nobody knows.
func (s *Server) guarded(c *call) (noted bool, err error) {
	r, route := c.r, c.route
	if s.cross.Check(r) != nil {
		return s.failures.allow(address(r)), refusal("cross_origin", "the request comes from a page of another site")
	}
	c.who, err = s.authorize(r, route.scope)
	c.r = r.WithContext(withIdentity(r.Context(), c.who))
	switch {
	case err != nil && c.who.Name != "":
		return true, err
	case err != nil:
		return s.unproven(r, err)
	}
	if err = checkQuery(r, route); err == nil {
		err = checkMedia(r, route.kinds)
	}
	switch {
	case err != nil:
	case route.before != nil:
		err = route.before(c)
	}
	if err == nil {
		err = s.perform(c)
	}
	switch {
	case err == nil || route.scope != Public:
		return true, err
	case errors.Is(err, errNobody):
		return s.unproven(r, refusal("unauthorized", "this token or signature is not right, or not any more"))
	}
	return s.failures.allow(address(r)), err
}

// unproven is the refusal of somebody who did not prove who they are.
func (s *Server) unproven(r *http.Request, err error) (noted bool, _ error) {
	if s.failures.allow(address(r)) {
		return true, err
	}
	e := refusal("too_many_failures", "too many requests from this address had no valid token")
	e.RetryAfterMS = failEvery.Milliseconds()
	return false, e
}

// perform reads the body, waits for a place at work and has the handler do it.
func (s *Server) perform(c *call) (err error) {
	within := s.limits.BodyTime
	switch {
	case c.route.scope == Public:
		within = min(within, s.limits.HookTime)
	case c.route.limit > s.limits.JSON:
		within = max(within, 5*time.Minute)
	}
	var done func()
	c.body, done, err = s.readBody(c.w, c.r, c.route.limit, s.room(c.route), within)
	defer done()
	if err != nil {
		return err
	}
	c.ctx = c.r.Context()
	if !c.route.stream {
		if changes(c.r.Method) {
			c.ctx = context.WithoutCancel(c.ctx)
		}
		var cancel context.CancelFunc
		c.ctx, cancel = context.WithTimeout(c.ctx, max(s.limits.WorkTime, c.route.within))
		defer cancel()
		if err := s.enter(c); err != nil {
			return err
		}
		defer func() { c.release() }()
	}
	defer func() {
		if p := recover(); p != nil {
			if p == any(http.ErrAbortHandler) {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	c.reached = true
	if c.route.page == nil {
		return c.route.do(c)
	}
	page := c.r.WithContext(context.WithValue(c.ctx, changeKey{}, c.change))
	page.Body = io.NopCloser(bytes.NewReader(c.body))
	page.ContentLength = int64(len(c.body))
	c.route.page.Handler.ServeHTTP(c.w, page)
	return nil
}

// enter waits for a place at work.
func (s *Server) enter(c *call) error {
	select {
	case s.work <- struct{}{}:
	default:
		wait := time.NewTimer(s.limits.WorkTime / 3)
		defer wait.Stop()
		select {
		case s.work <- struct{}{}:
		case <-c.r.Context().Done():
			return c.r.Context().Err()
		case <-wait.C:
			return refusal("busy_server", "the server has as much at work as it takes")
		}
	}
	given := false
	c.release = func() {
		if !given {
			given = true
			<-s.work
		}
	}
	return nil
}

// refuse answers before a handler was reached.
func (s *Server) refuse(w *responder, r *http.Request, route *route, p *Problem) {
	// What is left of the body is not read: the connection ends with the answer.
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	_ = w.control.SetReadDeadline(time.Now().Add(time.Second))
	s.answerProblem(w, r, route, p)
}

// answerProblem answers with a problem: as a page where one was asked for.
func (s *Server) answerProblem(w *responder, r *http.Request, route *route, p *Problem) {
	if s.cfg.PageProblem != nil && (wantsPage(r) || route != nil && route.page != nil) {
		p.headers(w.Header())
		s.cfg.PageProblem(w, r, p)
		return
	}
	p.write(w)
}

// wantsPage reports whether it is a browser that asks, for somebody to read.
// Programs that take anything get JSON.
func wantsPage(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Accept"), func(kinds string) bool { return strings.Contains(kinds, "text/html") })
}

// target is what the path names.
func target(r *http.Request) string {
	for _, name := range []string{"id", "name", "key", "workflow", "path"} {
		if v := r.PathValue(name); v != "" {
			return shorten(v)
		}
	}
	return ""
}

func requestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// tell logs a request: what changed something as info, what failed in the server
// as error, the rest as debug.
func (s *Server) tell(c *call, id string, took time.Duration, err error, p *Problem) {
	level := slog.LevelDebug
	switch {
	case p != nil && p.Status >= 500 && !errors.Is(err, context.Canceled):
		level = slog.LevelError
	case changes(c.r.Method):
		level = slog.LevelInfo
	}
	ctx := c.r.Context()
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("request", id), slog.String("route", c.route.pattern), slog.Int("status", c.w.status), slog.Duration("took", took), slog.String("by", c.who.By()), slog.String("from", address(c.r))}
	if run := c.runID(); run != "" {
		attrs = append(attrs, slog.String("run", run))
	} else if c.change.Target != "" {
		attrs = append(attrs, slog.String("target", c.change.Target))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

// runID is the run that a request is about.
func (c *call) runID() string {
	if strings.Contains(c.route.pattern, "/runs/{id}") || c.route.action == "run.start" && c.change.Err == nil {
		return c.change.Target
	}
	return ""
}
