package server

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"time"
)

// limit keeps at most n connections open at a time. One more is told so and
// closed, so that nobody waits in a queue that they cannot see.
func limit(l net.Listener, n int) net.Listener {
	return &limitedListener{Listener: l, free: make(chan struct{}, n)}
}

type limitedListener struct {
	net.Listener
	free chan struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.free <- struct{}{}:
			return &conn{Conn: c, gone: func() { <-l.free }}, nil
		default:
			// The answer fits into the socket's buffer: this does not wait.
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = c.Write(plainAnswer("503 Service Unavailable", ProblemOf(refusal("busy_server", "the server has as many connections as it takes"))))
			_ = c.Close()
		}
	}
}

// conn is a connection that counts until it is closed. net/http answers requests
// that it cannot even read by itself, in plain text, past every handler: those
// answers become problems here.
type conn struct {
	net.Conn
	once sync.Once
	gone func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.gone)
	return err
}

// CloseWrite lets net/http close in the order that lets the caller read the
// answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// plainHeaders are the headers of net/http's own answers, and of no other: ours
// have more of them.
var plainHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

func (c *conn) Write(b []byte) (int, error) {
	if len(b) > 512 || !bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		return c.Conn.Write(b)
	}
	head, text, found := bytes.Cut(b, plainHeaders)
	if !found || bytes.IndexByte(head, '\r') >= 0 {
		return c.Conn.Write(b)
	}
	status := string(head[len("HTTP/1.1 "):])
	var p *Problem
	switch {
	case len(status) < 3:
		return c.Conn.Write(b)
	case status[:3] == "431":
		p = ProblemOf(refusal("headers_too_large", "the request's headers are larger than what the server takes"))
	case status[:3] == "501":
		p = ProblemOf(refusal("unsupported", "the transfer encoding is not one that the server understands"))
	default:
		p = ProblemOf(refusal("bad_request", "this is no HTTP request that the server understands: "+string(text)))
	}
	if _, err := c.Conn.Write(plainAnswer(status, p)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// plainAnswer is a problem as a whole answer, for a connection without request.
func plainAnswer(status string, p *Problem) []byte {
	body := p.text()
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s", status, len(body), body)
}
