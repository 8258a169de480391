package served

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"wasmhost/host/internal/server/pages/pagestest"
)

// TestLarge measures how runs that are large open in the browser, while they go
// on and when they have ended. With -v it prints the figures.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("large runs take their time")
	}
	dir := t.TempDir()
	for _, name := range []string{"items.toml", "flood.toml"} {
		workflow(t, dir, name, "")
	}
	version(t, filepath.Join(dir, "picky.wasm"), "xhpicked")
	flood := filepath.Join("testdata", "flood.wasm")
	write(t, filepath.Join(dir, "flood.wasm"), read(t, flood))
	write(t, filepath.Join(dir, "nodes.toml"), manyNodes(10_000))
	s := &site{browser: pagestest.Start(t)}
	s.server = start(t, dir)
	tab := s.tab(t, pagestest.Desktop)
	now, _ := s.memory()
	t.Logf("server after start: %d MiB", now)

	for _, name := range []string{"items", "nodes", "flood"} {
		began := time.Now()
		s.begin(name, name)
		s.measure(t, tab, name, "at work")
		if name == "flood" {
			s.await(t, name, "succeeded")
		} else {
			s.settled(t, name)
		}
		t.Logf("%s: done after %.1f s", name, time.Since(began).Seconds())
		if name != "flood" {
			s.measure(t, tab, name, "one waits")
			s.ask("POST", "/v1/runs/"+name+"/cancel", `{}`, nil)
			s.await(t, name, "cancelled")
		}
		s.measure(t, tab, name, "ended")
	}
	now, most := s.memory()
	t.Logf("server at the end: %d MiB, %d MiB at most", now, most)
	if most > 1500 {
		t.Errorf("the server had %d MiB", most)
	}
}

// settled waits until every node or item but the one that waits has succeeded.
func (s *server) settled(t *testing.T, id string) {
	t.Helper()
	slow := time.NewTicker(500 * time.Millisecond) // asking takes the server's time, too
	defer slow.Stop()
	poll(t, id+" has nothing left but its wait", func() bool {
		<-slow.C
		var got struct {
			Nodes map[string]struct {
				Status string
				Items  []struct{ Status string }
			}
		}
		s.ask("GET", "/v1/runs/"+id+"/result", "", &got)
		n := 0
		for _, node := range got.Nodes {
			if node.Status == "succeeded" {
				n++
			}
			for _, item := range node.Items {
				if item.Status == "succeeded" {
					n++
				}
			}
		}
		return n >= 9999
	})
}

// measure opens a run and scrolls through it. A second is asked for; a machine
// that does other things has five.
func (s *site) measure(t *testing.T, tab *pagestest.Tab, id, when string) {
	t.Helper()
	began := time.Now()
	tab.OpenRun(id)
	tab.Wait("the page to be there", `document.readyState === "complete"`)
	open := time.Since(began)
	n := pagestest.Ask[times](tab, `(() => { const n = performance.getEntriesByType("navigation")[0]; return {first: n.responseStart, ready: n.domContentLoadedEventEnd, load: n.loadEventEnd, bytes: n.decodedBodySize, elements: document.querySelectorAll("*").length} })()`)
	pagestest.Ask[bool](tab, scroll)
	tab.Wait("the scrolling", `!!window.scrolled`)
	f := pagestest.Ask[frames](tab, `window.scrolled`)
	now, most := s.memory()
	t.Logf("%-5s %-9s first byte %4.0f ms, ready %4.0f ms, load %4.0f ms (seen after %4d ms); %4.0f KiB, %d elements; scrolled %d frames, median %.0f ms, worst %.0f ms; server %d MiB, most %d",
		id, when, n.First, n.Ready, n.Load, open.Milliseconds(), n.Bytes/1024, n.Elements, f.Count, f.Median, f.Worst, now, most)
	if n.Load > 5000 || f.Median > 100 || n.Elements > 8000 {
		t.Errorf("%s %s: too slow or too large", id, when)
	}
	shot(tab, "large-"+id+"-"+when)
}

type times struct {
	First, Ready, Load, Bytes float64
	Elements                  int
}

type frames struct {
	Count         int
	Median, Worst float64
}

// scroll goes down the page within 60 frames.
const scroll = `(() => {
	const gaps = []; let last = 0, n = 0;
	const height = document.documentElement.scrollHeight - innerHeight;
	const next = (now) => {
		if (last) gaps.push(now - last);
		last = now;
		scrollTo(0, height * n / 60);
		if (++n <= 60) return requestAnimationFrame(next);
		gaps.sort((a, b) => a - b);
		window.scrolled = {count: gaps.length, median: gaps[gaps.length >> 1], worst: gaps[gaps.length - 1]};
	};
	window.scrolled = null;
	requestAnimationFrame(next);
	return true;
})()`

// manyNodes is a workflow of n nodes, ten beside one another and the rest one
// after another; the first waits long for its retry.
func manyNodes(n int) []byte {
	var b bytes.Buffer
	b.WriteString("version = 1\nname = \"nodes\"\n[plugins.picky]\nsource = \"picky.wasm\"\n")
	b.WriteString("[nodes.n0]\nplugin = \"picky\"\nwith = \"x\"\nretry = { max_retries = 1, backoff = \"constant\", base_delay = \"10m\", on = [\"unknown\"] }\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "[nodes.n%d]\nplugin = \"picky\"\nwith = \"%d\"\n", i, i)
		if i > 10 {
			fmt.Fprintf(&b, "needs = [\"n%d\"]\n", i-10)
		}
	}
	return b.Bytes()
}
