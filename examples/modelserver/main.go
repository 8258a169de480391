// Command modelserver is an OpenAI-compatible server on loopback that answers,
// and fails, as it is told: a way to try the examples without a real model.
//
//	go run ./examples/modelserver                        # always answers
//	go run ./examples/modelserver -fail 2 -status 503    # two failures first
//	go run ./examples/modelserver -down gpt-4o           # one model is down
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"wasmhost/examples/modelserver/model"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8099", "loopback address to listen on")
	fail := flag.Int("fail", 0, "how many requests fail before the first answer")
	status := flag.Int("status", http.StatusServiceUnavailable, "status of the failures")
	retryAfter := flag.String("retry-after", "", "Retry-After header of the failures")
	delay := flag.Duration("delay", 0, "how long every answer takes")
	down := flag.String("down", "", "a model that never answers")
	flag.Parse()

	host, _, err := net.SplitHostPort(*addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		log.Fatalf("-addr %s: this server is for tests and listens on loopback only, as in 127.0.0.1:8099", *addr)
	}
	s := &model.Server{}
	var plan []model.Fault
	if *fail > 0 {
		plan = append(plan, model.Fault{Status: *status, RetryAfter: *retryAfter, Delay: *delay, Times: *fail})
	}
	s.Plan("", append(plan, model.Fault{Delay: *delay})...)
	if *down != "" {
		s.Plan(*down, model.Fault{Status: *status, RetryAfter: *retryAfter})
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("export OPENAI_BASE_URL=http://%s/v1\n", listener.Addr())
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}
