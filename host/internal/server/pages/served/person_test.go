package served

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wasmhost/host/internal/server/pages/pagestest"
)

// site is a served folder, the shop that its plugins ask, and a browser.
type site struct {
	*server
	shop          *shop
	browser       *pagestest.Browser
	newer, broken string // modules to swap in
}

// open serves orders and ticks.
func open(t *testing.T) *site {
	t.Helper()
	s := &site{shop: openShop(t), browser: pagestest.Start(t)}
	dir, other := t.TempDir(), t.TempDir()
	workflow(t, dir, "orders.toml", s.shop.url)
	workflow(t, dir, "ticks.toml", s.shop.url)
	version(t, filepath.Join(dir, "stamp.wasm"), "hhfirst")
	version(t, filepath.Join(dir, "echo.wasm"), "ehplain")
	s.newer = version(t, filepath.Join(other, "newer.wasm"), "hhsecond")
	s.broken = filepath.Join(other, "broken.wasm")
	write(t, s.broken, []byte("this is no module"))
	s.server = start(t, dir)
	return s
}

// tab is a tab in which somebody has logged in.
func (s *site) tab(t *testing.T, v pagestest.View) *pagestest.Tab {
	t.Helper()
	tab := s.browser.Tab(t, s.url, v)
	tab.Login(s.link())
	return tab
}

var order = map[string]string{"in.customer": "Ada", "in.quantity": "3", "in.express": "true", "in.channel": `"phone"`, "in.address.city": "Husum"}

// TestPerson does with a real server what a person does.
func TestPerson(t *testing.T) {
	s := open(t)
	desk := s.tab(t, pagestest.Desktop)
	phone := s.tab(t, pagestest.PhoneNight)
	began := time.Now()
	step := func(name string, f func(t *testing.T)) { // each builds on those before
		f(t)
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), name)
	}

	step("the link opens once", func(t *testing.T) {
		link := s.link()
		first := s.browser.Tab(t, s.url, pagestest.Phone)
		first.Login(link)
		first.Follow("form[action='/logout'] button")
		first.Text("h1", "Log in")
		first.Expect("status of 401")
		first.Go("/runs")
		if h := first.Read("h1"); h == "Runs" {
			t.Error("who has logged out sees the runs")
		}
		again := s.browser.Tab(t, s.url, pagestest.Phone)
		again.Expect("status of 401")
		again.Go(link)
		again.Text("main", "used already")
	})
	var first string
	step("an order, from the form to the end", func(t *testing.T) {
		desk.Go("/workflows/orders")
		desk.Fill(map[string]string{"in.customer": "Ada", "in.quantity": "1000", "in.discount": "much", "in.channel": `"phone"`, "in.address.city": "Husum"})
		desk.Follow(".start button.primary")
		desk.Text(".field.wrong:has([name='in.discount']) .wrong-text", "number")
		desk.Fill(map[string]string{"in.discount": "0.2"})
		desk.Follow(".start button.primary")
		desk.Text(".field.wrong:has([name='in.quantity'])", "100")
		if got := pagestest.Ask[string](desk, `document.querySelector("[name='in.customer']").value`); got != "Ada" {
			t.Errorf("the customer became %q", got)
		}
		price, stamp := s.shop.held("/price"), s.shop.held("/stamp")
		defer price()
		defer stamp()
		first = desk.StartRun("orders", order)
		pagestest.Ask[bool](desk, `window.sameDocument = true`)
		desk.Status("running")
		desk.NodeStatus("price", "running")
		price()
		desk.NodeStatus("price", "succeeded")
		desk.NodeStatus("review", "waiting")
		desk.Status("waiting")
		desk.Text("#waits", "Is the price right?")
		if !pagestest.Ask[bool](desk, `window.sameDocument === true`) {
			t.Error("the page was loaded anew")
		}
		phone.Go("/runs?status=waiting")
		phone.Text("#runs", first)
		phone.OpenRun(first)
		phone.Answer(true, "the price is right")
		phone.Text("#notice", "Approved")
		desk.NodeStatus("review", "succeeded")
		desk.NodeStatus("stamp", "running")
	})
	step("a swap under a call in flight, and back", func(t *testing.T) {
		release := s.shop.held("/stamp")
		defer release()
		running := desk.StartRun("orders", order)
		desk.Status("waiting")
		desk.Answer(true, "")
		desk.NodeStatus("stamp", "running")
		phone.Go("/plugins/orders.stamp")
		phone.Text("#versions", "current")
		desk.Swap("orders.stamp", s.broken, "now")
		desk.Text("#notice", "refused")
		desk.Swap("orders.stamp", s.newer, "now")
		desk.Text("#notice", "The new version gets all new calls")
		desk.Text("#versions", "draining")
		inFlight := `[...document.querySelectorAll("#versions tbody tr")].map(r => r.cells[0].innerText.trim() + " " + r.cells[4].innerText.trim()).join()`
		if got := pagestest.Ask[string](desk, inFlight); !strings.Contains(got, "draining 1") || !strings.Contains(got, "current 0") {
			t.Errorf("calls in flight: %s", got)
		}
		shot(desk, "plugin-draining")
		desk.OpenRun(running)
		release()
		desk.Status("succeeded")
		desk.Text("#output", "first ")
		next := desk.StartRun("orders", order)
		desk.Status("waiting")
		desk.Answer(true, "")
		desk.Status("succeeded")
		desk.Text("#output", "second ")
		_ = next
		desk.Rollback("orders.stamp")
		desk.Text("#notice", "Rolled back")
		desk.StartRun("orders", order)
		desk.Status("waiting")
		desk.Answer(true, "")
		desk.Text("#output", "first ")
	})
	step("reject, cancel, retry", func(t *testing.T) {
		phone.StartRun("orders", order)
		phone.Status("waiting")
		phone.Answer(false, "too dear")
		phone.Status("failed")
		phone.Text("#error", "too dear")
		phone.Retry()
		phone.Status("waiting")
		phone.Text("#facts", "Generation")
		phone.Cancel("nobody wants it")
		phone.Status("cancelled")
		phone.Text("#error", "nobody wants it")
	})
	step("a canary, promoted by a person", func(t *testing.T) {
		better := version(t, filepath.Join(t.TempDir(), "better.wasm"), "ehbetter")
		desk.Swap("ticks.echo", better, "canary")
		desk.Text("#versions", "canary")
		desk.StartRun("ticks", nil)
		desk.Status("succeeded")
		desk.Text("#output", "better ")
		desk.Text("#output", "plain ")
		desk.Go("/plugins/ticks.echo")
		shot(desk, "plugin-canary")
		desk.Promote("ticks.echo")
		desk.Text("#notice", "Promoted")
		desk.StartRun("ticks", nil)
		desk.Status("succeeded")
		if out := desk.Read("#output"); strings.Contains(out, "plain ") {
			t.Error("the old version still answers")
		}
	})
	var last string
	step("retries count down, a breaker opens and is reset", func(t *testing.T) {
		s.shop.close(true)
		phone.Go("/health")
		desk.StartRun("orders", order)
		desk.Text("#waits", "503")
		desk.Countdown("#waits .countdown, #waits time[data-until]")
		shot(desk, "run-retrying")
		desk.NodeStatus("price", "failed")
		last = desk.StartRun("orders", order)
		phone.Text("#breaker-table", "open")
		desk.Status("degraded") // somebody apologised
		shot(desk, "run-failed")
		desk.Go("/health")
		desk.Text("#breaker-table tbody tr", "open")
		desk.Text("#breaker-table", "503")
		desk.Countdown("#breaker-table time[data-until]")
		shot(desk, "breaker-open")
		s.shop.close(false)
		desk.Breaker("orders.shop", "reset")
		desk.Text("#notice", "is closed")
		desk.OpenRun(last)
		desk.Retry()
		desk.Status("waiting")
		desk.Answer(true, "open again")
		desk.Status("succeeded")
	})
	step("schedules", func(t *testing.T) {
		desk.Go("/schedules")
		desk.Text("#schedules", "30 2 * * *")
		desk.Text("#schedules", "Europe/Berlin")
		if n := pagestest.Ask[int](desk, `document.querySelectorAll("#schedules .times li").length`); n < 4 {
			t.Errorf("%d next times of two schedules", n)
		}
	})
	step("without JavaScript", func(t *testing.T) {
		plain := s.tab(t, pagestest.View{Width: 360, Height: 740, NoScript: true})
		id := plain.StartRun("orders", order)
		s.await(t, id, "waiting")
		plain.OpenRun(id)
		plain.NodeStatus("review", "waiting")
		plain.Fits()
		plain.Answer(true, "read without a script")
		plain.Text("#notice", "Approved")
		s.await(t, id, "succeeded")
		plain.OpenRun(id)
		plain.NodeStatus("stamp", "succeeded")
		plain.Text("#output", "Husum")
	})
	step("the audit has all of it", func(t *testing.T) {
		desk.Go("/audit")
		said := desk.Read("main")
		for _, want := range []string{"login", "run.start", "run.approve", "run.cancel", "run.retry", "plugin.swap", "plugin.rollback", "plugin.promote", "breaker.reset", "admin", "orders.stamp", "orders.shop", last} {
			if !strings.Contains(said, want) {
				t.Errorf("the audit does not have %s", want)
			}
		}
		if strings.Contains(said, s.token) {
			t.Error("the audit has the token")
		}
	})
	step("every page, in every view", func(t *testing.T) { s.look(t, first, last) })
}

// await waits until a run has a status, for those who look without a script.
func (s *server) await(t *testing.T, id, status string) {
	t.Helper()
	var run struct{ Status string }
	poll(t, id+" "+status, func() bool {
		s.ask("GET", "/v1/runs/"+id, "", &run)
		if run.Status == "failed" && status != "failed" {
			t.Fatalf("run %s has failed", id)
		}
		return run.Status == status
	})
}

// look opens every page: nothing is wider than the window.
func (s *site) look(t *testing.T, first, last string) {
	views := []pagestest.View{pagestest.Phone}
	if shots != "" {
		views = []pagestest.View{pagestest.Desktop, pagestest.DesktopNight, pagestest.Phone, pagestest.PhoneNight}
	}
	for _, v := range views {
		tab := s.tab(t, v)
		tab.Expect("status of 404")
		for _, p := range []struct{ name, path string }{
			{"runs", "/runs"}, {"runs-waiting", "/runs?status=waiting"}, {"run", "/runs/" + first}, {"run-again", "/runs/" + last}, {"node", "/runs/" + last + "/node?node=price"}, {"events", "/runs/" + last + "/events"},
			{"workflows", "/workflows"}, {"workflow", "/workflows/orders"}, {"workflow-ticks", "/workflows/ticks"}, {"plugins", "/plugins"}, {"plugin", "/plugins/orders.stamp"},
			{"health", "/health"}, {"schedules", "/schedules"}, {"audit", "/audit"}, {"tokens", "/tokens"}, {"problem", "/runs/nothing"},
		} {
			tab.Go(p.path)
			tab.Fits()
			shot(tab, p.name+"-"+v.String())
		}
		out := s.browser.Tab(t, s.url, v)
		out.Expect("status of 401")
		out.Go("/login")
		out.Fits()
		shot(out, "login-"+v.String())
	}
}

// shots is the folder for pictures to be looked at; "": none are taken.
var shots = os.Getenv("PAGES_SHOTS")

func shot(tab *pagestest.Tab, name string) {
	if shots != "" {
		tab.Shot(filepath.Join(shots, cmp.Or(name, "page")+".png"))
	}
}
