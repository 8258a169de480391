package sandboxtest

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// nameServer answers for names as it likes, and differently each time. It is
// the resolver of the whole process while the test runs.
type nameServer struct {
	mu    sync.Mutex
	next  map[string][][]netip.Addr // by name: the answers to come; the last one stays
	asked map[string]int
}

func serveNames(t *testing.T, answers map[string][][]netip.Addr) *nameServer {
	n := &nameServer{next: answers, asked: map[string]int{}}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			size, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := n.answer(buf[:size]); reply != nil {
				c.WriteTo(reply, from)
			}
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", c.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		c.Close()
		<-ended
	})
	return n
}

// answer makes the reply to one question of RFC 1035.
func (n *nameServer) answer(query []byte) []byte {
	if len(query) < 12 {
		return nil
	}
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if end > len(query) {
			return nil
		}
		labels = append(labels, string(query[at+1:end]))
		at = end
	}
	if at+5 > len(query) {
		return nil
	}
	question, kind := query[12:at+5], binary.BigEndian.Uint16(query[at+1:])
	const typeA, typeAAAA = 1, 28
	name := strings.ToLower(strings.Join(labels, "."))
	n.mu.Lock()
	defer n.mu.Unlock()
	var now []netip.Addr
	if list := n.next[name]; len(list) > 0 {
		now = list[0]
		if kind == typeA && len(list) > 1 {
			n.next[name] = list[1:]
		}
		if kind == typeA {
			n.asked[name]++
		}
	}
	reply := append([]byte{query[0], query[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	for _, addr := range now {
		if addr.Is4() != (kind == typeA) || kind != typeA && kind != typeAAAA {
			continue
		}
		ip := addr.AsSlice()
		reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(ip)))
		reply = append(reply, ip...)
		reply[7]++
	}
	if reply[7] == 0 && n.next[name] == nil {
		reply[3] = 3 // no such name
	}
	return reply
}

func addrs(list ...string) []netip.Addr {
	all := make([]netip.Addr, len(list))
	for i, s := range list {
		all[i] = netip.MustParseAddr(s)
	}
	return all
}

// TestNamesThatChange: the address that is connected to is the one that is
// checked, for every connection, whatever the name meant before.
func TestNamesThatChange(t *testing.T) {
	port, hits := counted(t, "127.0.0.1:0")
	allowed, err := net.Listen("tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Skip(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Write([]byte("the listed one"))
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); s.Serve(allowed) }()
	defer func() { s.Close(); <-ended }()

	listed, hidden := addrs("127.0.0.2"), addrs("127.0.0.1")
	names := serveNames(t, map[string][][]netip.Addr{
		"rebind.test":   {listed, hidden},
		"both.test":     {addrs("127.0.0.1", "127.0.0.2", "10.0.0.1")},
		"mapped.test":   {addrs("::ffff:127.0.0.1", "::1", "::127.0.0.1")},
		"metadata.test": {addrs("169.254.169.254")},
		"localhost":     {hidden},
	})
	var origins []string
	for _, name := range []string{"rebind.test", "both.test", "mapped.test", "metadata.test", "127.0.0.2", "nothing.test"} {
		origins = append(origins, "http://"+name+":"+port)
	}
	a := attack{guest: "host/http.c", change: allow(origins...)}
	rt := plugin.NewRuntime(plugin.Config{})
	defer rt.Close(t.Context())
	p, err := rt.Load(t.Context(), a.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string) (plugin.Answer, error) {
		return p.Call(t.Context(), plugin.Call{Input: []byte(request("http://" + name + ":" + port + "/"))})
	}
	denied := answer{code: "denied", class: event.Permanent, text: `a (loopback|metadata|reserved|private) address; such an address must be listed itself`}
	fine := answer{output: "200 the listed one"}
	for _, c := range []struct {
		name string
		want answer
	}{
		{"rebind.test", fine}, {"rebind.test", denied}, {"rebind.test", denied},
		{"both.test", fine}, {"mapped.test", denied}, {"metadata.test", denied},
		{"nothing.test", answer{code: "http_failed", class: event.Transient, text: `no such host`}},
	} {
		if err := c.want.check(ask(c.name)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	names.mu.Lock()
	defer names.mu.Unlock()
	if names.asked["rebind.test"] < 2 {
		t.Error("the name was asked for once only: nothing was shown")
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the server that must not be reached was reached %d times", n)
	}
}
