// Command serve measures `host serve` under load, from an own client on
// loopback, beside the same work done in process, in the same rounds: short runs
// of three plugins that do nothing, every step synced to the disk; a thousand
// runs alive at once; and the same load while 200 watchers follow a run.
//
//	go run ./bench/serve [-rounds 5] [-runs 1000] [-at-once 64] [-alive 1000] [-watchers 200]
//
// Server and client share the machine. Ratios are medians of the rounds; in
// brackets the worst and the best round.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"wasmhost/bench/gotest"
)

type options struct{ rounds, runs, atOnce, alive, watchers int }

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each measurement")
	flag.IntVar(&o.runs, "runs", 1000, "short runs in a round")
	flag.IntVar(&o.atOnce, "at-once", 64, "short runs under way at once")
	flag.IntVar(&o.alive, "alive", 1000, "long runs alive at once")
	flag.IntVar(&o.watchers, "watchers", 200, "watchers of one run")
	flag.Parse()
	if err := measure(context.Background(), o); err != nil {
		log.Fatal(err)
	}
}

func measure(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := writeWorkflows(dir)
	if err != nil {
		return err
	}
	p, err := openProcess(ctx, dir, files)
	if err != nil {
		return err
	}
	defer p.close(ctx)
	s, err := startServer(ctx, dir, files)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := s.stop(); err == nil {
			err = stopped
		}
	}()
	if err := short(ctx, o, p, s); err != nil {
		return err
	}
	if err := watched(ctx, o, s); err != nil {
		return err
	}
	return alive(ctx, o, p, s)
}

// short compares short runs over HTTP with those in process.
func short(ctx context.Context, o options, p *process, s *server) error {
	var inside, served []load
	for range o.rounds + 1 {
		a, err := many(o.runs, o.atOnce, func() error { return p.run(ctx, "short") })
		if err != nil {
			return err
		}
		b, err := many(o.runs, o.atOnce, func() error { return s.run(ctx, "short") })
		if err != nil {
			return err
		}
		inside, served = append(inside, a), append(served, b)
	}
	inside, served = inside[1:], served[1:] // the first warms up
	fmt.Printf("%-46s %10s %10s %10s\n", fmt.Sprintf("three plugins that do nothing, %d at once", o.atOnce), "runs/s", "p50 ms", "p99 ms")
	show("in process", inside)
	show("host serve, over HTTP with wait", served)
	ratio("served, times in process, runs/s", served, inside)
	fmt.Printf("memory of the server after %d runs: %d MiB\n\n", (o.rounds+1)*o.runs, s.resident())
	return nil
}

// watched compares the short runs while watchers follow another run with those
// while nobody does.
func watched(ctx context.Context, o options, s *server) error {
	id, err := s.start(ctx, "ticking")
	if err != nil {
		return err
	}
	var alone, seen []load
	var told int64
	for range o.rounds {
		a, err := many(o.runs, o.atOnce, func() error { return s.run(ctx, "short") })
		if err != nil {
			return err
		}
		w, err := s.watch(ctx, id, o.watchers)
		if err != nil {
			return err
		}
		b, err := many(o.runs, o.atOnce, func() error { return s.run(ctx, "short") })
		told += w.stop()
		if err != nil {
			return err
		}
		alone, seen = append(alone, a), append(seen, b)
	}
	if err := s.cancel(ctx, id); err != nil {
		return err
	}
	fmt.Printf("%-46s %10s %10s %10s\n", "the same, beside a run that goes on", "runs/s", "p50 ms", "p99 ms")
	show("nobody watches it", alone)
	show(fmt.Sprintf("%d watch it (%d events were told)", o.watchers, told), seen)
	ratio("watched, times not watched, runs/s (target 0.95)", seen, alone)
	fmt.Println()
	return nil
}

// alive starts runs that live for three seconds, all at once.
func alive(ctx context.Context, o options, p *process, s *server) error {
	before := s.resident()
	a, err := many(o.alive, o.alive, func() error { return p.run(ctx, "waiting") })
	if err != nil {
		return err
	}
	peak := make(chan int)
	stop := make(chan struct{})
	go func() {
		most := 0
		for {
			most = max(most, s.resident())
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	b, err := many(o.alive, o.alive, func() error { return s.run(ctx, "waiting") })
	close(stop)
	most := <-peak
	if err != nil {
		return err
	}
	fmt.Printf("%-46s %10s %10s %10s\n", fmt.Sprintf("%d runs at once that wait %s each", o.alive, waiting), "all s", "p50 ms", "p99 ms")
	for _, l := range []struct {
		who string
		load
	}{{"in process", a}, {"host serve, over HTTP with wait", b}} {
		fmt.Printf("%-46s %10.1f %10.0f %10.0f\n", l.who, l.took.Seconds(), ms(l.quantile(0.5)), ms(l.quantile(0.99)))
	}
	fmt.Printf("memory of the server: %d MiB before, %d MiB at most while they live\n", before, most)
	return nil
}

// load is what a number of runs came to.
type load struct {
	took  time.Duration
	each  []time.Duration // sorted
	count int
}

func (l load) perSecond() float64 { return float64(l.count) / l.took.Seconds() }

func (l load) quantile(q float64) time.Duration {
	return l.each[min(int(q*float64(len(l.each))), len(l.each)-1)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// many does n pieces of work, so many at once.
func many(n, atOnce int, work func() error) (load, error) {
	type done struct {
		took time.Duration
		err  error
	}
	turns, ends := make(chan struct{}, n), make(chan done, n)
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	began := time.Now()
	for range min(atOnce, n) {
		go func() {
			for range turns {
				from := time.Now()
				err := work()
				ends <- done{time.Since(from), err}
			}
		}()
	}
	l := load{count: n}
	var failed error
	for range n {
		d := <-ends
		if d.err != nil && failed == nil {
			failed = d.err
		}
		l.each = append(l.each, d.took)
	}
	l.took = time.Since(began)
	slices.Sort(l.each)
	return l, failed
}

func each(loads []load, of func(load) float64) []float64 {
	values := make([]float64, len(loads))
	for i, l := range loads {
		values[i] = of(l)
	}
	return values
}

func show(who string, loads []load) {
	fmt.Printf("%-46s %10.0f %10.1f %10.1f\n", who, gotest.Median(each(loads, load.perSecond)),
		gotest.Median(each(loads, func(l load) float64 { return ms(l.quantile(0.5)) })),
		gotest.Median(each(loads, func(l load) float64 { return ms(l.quantile(0.99)) })))
}

func ratio(what string, a, b []load) {
	all := gotest.Ratios(each(a, load.perSecond), each(b, load.perSecond))
	fmt.Printf("%-50s %.2f (%.2f – %.2f)\n", what+":", gotest.Median(all), all[0], all[len(all)-1])
}
