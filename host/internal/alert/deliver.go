package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	// mostWaiting alerts wait for one receiver; then the oldest is dropped.
	mostWaiting = 100
	// trying is how long one try may take.
	trying = 10 * time.Second
	// parting is how long Run goes on after its end, to deliver what is left.
	parting = 3 * time.Second
	// longestHint is the longest Retry-After that is obeyed.
	longestHint = 5 * time.Minute
	// mostRead of an answer, so that a connection can be used again.
	mostRead = 4 << 10
)

// pauses are those between the tries to deliver one alert.
var pauses = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute}

// receiver is one address. Each has a worker of its own, so that one that does not
// answer holds up nobody else.
type receiver struct {
	url     string
	waiting []Alert
	wake    chan struct{}
	worked  bool // it has a worker
}

// send queues an alert for an address. a.mu is held.
func (a *Alerts) send(address string, alert Alert) {
	r := a.receivers[address]
	if r == nil {
		r = &receiver{url: address, wake: make(chan struct{}, 1)}
		a.receivers[address] = r
	}
	r.waiting = append(r.waiting, alert)
	if len(r.waiting) > mostWaiting {
		a.lost(r, r.waiting[0], fmt.Errorf("%d later ones wait", mostWaiting))
		r.waiting = append([]Alert(nil), r.waiting[1:]...)
	}
	nudge(r.wake)
	nudge(a.wake)
}

// Run delivers until ctx ends, tries what is left once more for a few seconds, and
// returns. It is called once.
func (a *Alerts) Run(ctx context.Context) {
	var workers sync.WaitGroup
	defer a.client.CloseIdleConnections()
	defer workers.Wait()
	for ctx.Err() == nil {
		next := a.settle()
		a.mu.Lock()
		for _, r := range a.receivers {
			if !r.worked {
				r.worked = true
				workers.Go(func() { a.work(ctx, r) })
			}
		}
		a.mu.Unlock()
		wait := time.Hour
		if !next.IsZero() {
			wait = max(next.Sub(a.c.now()), time.Millisecond)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-a.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// work delivers what waits for one receiver, in order.
func (a *Alerts) work(ctx context.Context, r *receiver) {
	// A try that is under way at the end is not cut, or it might be made twice.
	lingering, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(parting, cut)
		context.AfterFunc(lingering, func() { timer.Stop() })
	})()
	for {
		if alert, ok := a.take(r); ok {
			if a.deliver(ctx, lingering, r, alert); ctx.Err() == nil {
				continue
			}
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			a.part(lingering, r)
			return
		}
	}
}

func (a *Alerts) take(r *receiver) (Alert, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(r.waiting) == 0 {
		return Alert{}, false
	}
	alert := r.waiting[0]
	r.waiting = r.waiting[1:]
	return alert, true
}

// deliver tries until it is delivered, cannot be, or ctx ends; then it waits
// again.
func (a *Alerts) deliver(ctx, lingering context.Context, r *receiver, alert Alert) {
	for try := 0; ; try++ {
		hint, err := a.post(lingering, r.url, alert)
		if err == nil {
			a.sent(alert, nil)
			return
		}
		if errors.As(err, new(*refusal)) || try == len(pauses) {
			a.lost(r, alert, err)
			return
		}
		if ctx.Err() != nil || a.c.pause(ctx, max(pauses[min(try, len(pauses)-1)], hint)) != nil {
			a.mu.Lock()
			r.waiting = append([]Alert{alert}, r.waiting...)
			a.mu.Unlock()
			return
		}
	}
}

// part tries once more what is left at the end.
func (a *Alerts) part(lingering context.Context, r *receiver) {
	for {
		alert, ok := a.take(r)
		if !ok {
			return
		}
		if _, err := a.post(lingering, r.url, alert); err != nil {
			a.lost(r, alert, fmt.Errorf("the host stops: %w", err))
		}
	}
}

// lost logs what is not delivered. An address is a secret of whoever receives: its
// host is named, no more.
func (a *Alerts) lost(r *receiver, alert Alert, err error) {
	a.sent(alert, err)
	a.c.Log.Error("an alert was not delivered", "to", hostOf(r.url), "workflow", alert.Workflow, "alert", alert.Text, "error", err)
}

func (a *Alerts) sent(alert Alert, err error) {
	if a.c.OnSent != nil {
		a.c.OnSent(alert, err)
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	return u.Host
}

// refusal is an answer that another try does not change.
type refusal struct{ status int }

func (e *refusal) Error() string {
	if e.status/100 == 3 {
		return fmt.Sprintf("it answers %d: it leads elsewhere, alerts do not follow", e.status)
	}
	return fmt.Sprintf("it answers %d", e.status)
}

// newClient makes the client of alerts. It follows a redirect only to the same
// server, and only one that repeats the POST.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxIdleConnsPerHost = 1
	return &http.Client{Transport: transport, Timeout: trying, CheckRedirect: func(next *http.Request, before []*http.Request) error {
		first := before[0].URL
		if len(before) > 3 || next.Method != http.MethodPost || next.URL.Host != first.Host || next.URL.Scheme != first.Scheme {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// post tries once. hint is how long the receiver asks to wait.
func (a *Alerts) post(ctx context.Context, address string, alert Alert) (hint time.Duration, err error) {
	body, err := json.Marshal(alert)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("its address cannot be read")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "host/"+a.c.Version)
	req.Header.Set("Idempotency-Key", alert.ID)
	answer, err := a.client.Do(req)
	if err != nil {
		if told := (*url.Error)(nil); errors.As(err, &told) { // without the address
			err = told.Err
		}
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, mostRead)
	switch status := answer.StatusCode; {
	case status/100 == 2:
		return 0, nil
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status/100 == 5:
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
			hint = min(time.Duration(min(seconds, 3600))*time.Second, longestHint)
		}
		return hint, fmt.Errorf("it answers %d", status)
	default:
		return 0, &refusal{status}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
