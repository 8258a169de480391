package pagestest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what it must.
const patience = 15 * time.Second

// Browser is a Chromium, one process for all tabs.
type Browser struct {
	ctx context.Context
}

// Find returns where Chromium is. Without one the test fails under CI, which
// skips nothing, and is skipped loudly elsewhere.
func Find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("Chromium is not installed (apt-get install chromium): nobody has looked at the pages")
	}
	t.Skip("NOT TESTED: Chromium is not installed (apt-get install chromium): nobody has looked at the pages")
	return ""
}

// Start starts a Chromium that ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(Find(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true), chromedp.WSURLReadTimeout(60*time.Second))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process, so that its folder can go
		end()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return &Browser{ctx: ctx}
}

// View is how a page is looked at.
type View struct {
	Width, Height int
	Dark          bool
	NoScript      bool
}

// The views that every page must be right in.
var (
	Desktop      = View{Width: 1280, Height: 900}
	DesktopNight = View{Width: 1280, Height: 900, Dark: true}
	Phone        = View{Width: 360, Height: 740}
	PhoneNight   = View{Width: 360, Height: 740, Dark: true}
)

func (v View) String() string {
	s := fmt.Sprint(v.Width)
	if v.Dark {
		return s + "-dark"
	}
	return s + "-light"
}

// Tab is a tab of a browser that nobody is logged in with yet. What goes wrong in
// it – an error on the console, a request to another origin – fails the test at
// its end.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	base string

	mu      sync.Mutex
	wrong   []string
	awaited []string
}

// Tab opens a tab for the service at base, such as http://127.0.0.1:7070.
func (b *Browser) Tab(t testing.TB, base string, v View) *Tab {
	t.Helper()
	tab := &Tab{t: t, base: strings.TrimSuffix(base, "/")}
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(tab.hear))
	tab.ctx = ctx
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(v.Width), int64(v.Height)), command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}), command(runtime.Enable, cdp.Empty{}),
		command(emulation.SetEmulatedMedia, media), command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScript}))
	t.Cleanup(func() {
		end()
		tab.mu.Lock()
		defer tab.mu.Unlock()
		for _, w := range tab.wrong {
			t.Errorf("in the browser: %s", w)
		}
	})
	if err != nil {
		t.Fatalf("no tab: %v", err)
	}
	return tab
}

// command is a command of the protocol as an action.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// hear notes what must not happen.
func (b *Tab) hear(e any) {
	wrong := ""
	switch e := e.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.base+"/") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "about:") {
			wrong = "a request to " + u
		}
	case *runtime.EventExceptionThrown:
		wrong = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			wrong += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			wrong = "console error"
			for _, a := range e.Args {
				wrong += " " + string(a.Value)
			}
		}
	case *log.EventEntryAdded:
		// A form that is not right yet is answered with 422, which is no fault.
		if e.Entry.Level == log.EntryLevelError && !b.expects(e.Entry.Text) {
			wrong = "console: " + e.Entry.Text + " " + e.Entry.URL
		}
	}
	if wrong != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wrong = append(b.wrong, wrong)
	}
}

// Expect says that an error on the console with these words is none.
func (b *Tab) Expect(words string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.awaited = append(b.awaited, words)
}

func (b *Tab) expects(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(text, "status of 422") || slices.ContainsFunc(b.awaited, func(w string) bool { return strings.Contains(text, w) })
}

// Hide has the page believe that nobody looks at its tab, or that somebody does
// again.
func (b *Tab) Hide(hidden bool) {
	b.t.Helper()
	Ask[bool](b, fmt.Sprintf(`Object.defineProperty(document, "hidden", {configurable: true, get: () => %v}), document.dispatchEvent(new Event("visibilitychange"))`, hidden))
}

// Do runs actions within the patience of a person.
func (b *Tab) Do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fail(what, err)
	}
}

func (b *Tab) fail(what string, err error) {
	b.t.Helper()
	page, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`)) // the error says what matters
	if len(page) > 3000 {
		page = page[:3000]
	}
	b.t.Fatalf("%s: %v\nThe page:\n%s", what, err, page)
}

// Wait waits until an expression is true in the page, whatever page that is by
// then.
func (b *Tab) Wait(what, condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		// While one page gives way to the next an evaluation may fail.
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition))
		if ok && err == nil {
			return
		}
		select {
		case <-ctx.Done():
			b.fail(what, fmt.Errorf("not within %v (%v)", patience, err))
		case <-time.After(pause):
		}
	}
}

// Go opens a page of the service; to may be a whole address of it.
func (b *Tab) Go(to string) {
	b.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.base + to
	}
	b.Do("open "+to, chromedp.Navigate(to))
	b.Wait("a page at "+to, `!!document.querySelector("main")`)
}

// Text waits until the element shows the text, somewhere in it.
func (b *Tab) Text(selector, want string) {
	b.t.Helper()
	b.Wait(fmt.Sprintf("wait for %s to show %q", selector, want), fmt.Sprintf(`(() => { const e = document.querySelector(%q); return !!e && (e.innerText || e.textContent).includes(%q) })()`, selector, want))
}

// Read is what the element shows now.
func (b *Tab) Read(selector string) string {
	b.t.Helper()
	return Ask[string](b, fmt.Sprintf(`document.querySelector(%q).innerText`, selector))
}

// Ask evaluates an expression in the page.
func Ask[T any](b *Tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.fail("evaluate "+script, err)
	}
	return answer
}

// Click clicks what is there to be clicked.
func (b *Tab) Click(selector string) {
	b.t.Helper()
	b.Do("click "+selector, chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Follow clicks what leads to another page, and waits for that.
func (b *Tab) Follow(selector string) {
	b.t.Helper()
	Ask[bool](b, `window.beforeTheClick = true`)
	b.Click(selector)
	b.Wait("the page after "+selector, `!window.beforeTheClick && document.readyState === "complete" && !!document.querySelector("main")`)
}

// Type puts a value into a field, in place of what was in it.
func (b *Tab) Type(selector, value string) {
	b.t.Helper()
	b.Do("find "+selector, chromedp.ScrollIntoView(chromedp.CSS(selector)))
	Ask[bool](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.value = ""; return true })()`, selector))
	b.Do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), value))
}

// Shot keeps a picture of the whole page in a file.
func (b *Tab) Shot(file string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(file, png, 0o644)
	}
	if err != nil {
		b.fail("take a picture", err)
	}
}

// Fits checks that nothing makes the page wider than the window.
func (b *Tab) Fits() {
	b.t.Helper()
	if over := Ask[string](b, tooWide); over != "" {
		b.t.Errorf("%s is wider than the window: %s", b.Here(), over)
	}
}

const tooWide = `(() => {
	const w = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= w) return "";
	let worst = "";
	for (const e of document.querySelectorAll("main *, header *, footer *")) {
		const right = e.getBoundingClientRect().right;
		if (right > w + 1 && !e.parentElement.closest(".scroll, .tabs, .value, nav, svg, .hide, .menu")) worst = e.tagName + "." + e.className + " ends at " + Math.round(right);
	}
	return document.documentElement.scrollWidth + " > " + w + ": " + worst;
})()`
