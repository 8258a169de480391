package pagestest

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/chromedp/chromedp"
)

// Login opens the one-time link, and ends on the runs.
func (b *Tab) Login(link string) {
	b.t.Helper()
	b.Go(link)
	b.Text("h1", "Runs")
}

// Here is the path of the page that is open.
func (b *Tab) Here() string {
	b.t.Helper()
	return Ask[string](b, `location.pathname`)
}

// StartRun starts a run of a workflow from its form, with what is typed into the
// fields by their names in the form ("in.city"), and returns its id. A choice is
// the value of an option; "true" ticks a box.
func (b *Tab) StartRun(workflow string, fields map[string]string) string {
	b.t.Helper()
	b.Go("/workflows/" + url.PathEscape(workflow))
	b.Fill(fields)
	b.Follow(".start button.primary")
	b.Text("#notice", "")
	path := b.Here()
	id, ok := strings.CutPrefix(path, "/runs/")
	if !ok {
		b.t.Fatalf("no run was started: %s shows %s", path, b.Read("main"))
	}
	return id
}

// Fill types into fields by their names.
func (b *Tab) Fill(fields map[string]string) {
	b.t.Helper()
	for name, value := range fields {
		selector := fmt.Sprintf("[name=%q]", name)
		switch Ask[string](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); return e ? e.tagName === "SELECT" ? "select" : e.type : "missing" })()`, selector)) {
		case "missing":
			b.t.Fatalf("%s has no field %s", b.Here(), name)
		case "checkbox":
			if on := Ask[bool](b, fmt.Sprintf(`document.querySelector(%q).checked`, selector)); on != (value == "true") {
				b.Click(selector)
			}
		case "select":
			if got := Ask[string](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q; e.dispatchEvent(new Event("input", {bubbles: true})); return e.value })()`, selector, value)); got != value {
				b.t.Fatalf("%s has no choice %s", name, value)
			}
		default:
			b.Type(selector, value)
		}
	}
}

// OpenRun opens the page of a run.
func (b *Tab) OpenRun(id string) {
	b.t.Helper()
	b.Go("/runs/" + url.PathEscape(id))
}

// Status waits until the run or node that is open has the status.
func (b *Tab) Status(want string) {
	b.t.Helper()
	b.Text("#status", want)
}

// NodeStatus waits until the graph and the table of the run that is open show a
// node's status.
func (b *Tab) NodeStatus(node, want string) {
	b.t.Helper()
	b.Wait(node+" "+want+" in the graph", fmt.Sprintf("!!document.querySelector('.host-graph [data-node=%q].state-%s')", node, want))
	script := fmt.Sprintf(`[...document.querySelectorAll("#table tbody tr")].some(r => r.querySelector("td.main code").innerText === %q && r.cells[0].innerText.includes(%q))`, node, want)
	b.Wait(node+" "+want+" in the table", script)
}

// Answer approves or rejects the first node that waits in the run that is open.
func (b *Tab) Answer(approve bool, comment string) {
	b.t.Helper()
	b.Type(".answer [name=comment]", comment)
	if approve {
		b.Follow(".answer button[value=approve]")
		return
	}
	b.Follow(".answer button[value=reject]")
}

// Cancel cancels the run that is open.
func (b *Tab) Cancel(reason string) {
	b.t.Helper()
	b.Click("#actions details:has([name=reason]) summary")
	b.Type("[name=reason]", reason)
	b.Follow("#actions form[action$='/cancel'] button")
}

// Retry runs again what did not succeed in the run that is open.
func (b *Tab) Retry() {
	b.t.Helper()
	b.Click("#actions details:has(form[action$='/retry']) summary")
	b.Follow("#actions form[action$='/retry'] button")
}

// Swap brings in a module for a plugin; mode is now, canary or shadow. What the
// page says is in #notice.
func (b *Tab) Swap(plugin, file, mode string) {
	b.t.Helper()
	b.Go("/plugins/" + url.PathEscape(plugin))
	b.Do("choose the module", chromedp.SetUploadFiles(chromedp.CSS("#module"), []string{file}))
	b.Click(fmt.Sprintf("input[name=mode][value=%s]", mode))
	b.Follow("form[action$='/swap'] button")
}

// Rollback goes back to the version before.
func (b *Tab) Rollback(plugin string) {
	b.t.Helper()
	b.Go("/plugins/" + url.PathEscape(plugin))
	b.Follow("form[action$='/rollback'] button")
}

// Promote makes a canary or shadow current.
func (b *Tab) Promote(plugin string) {
	b.t.Helper()
	b.Go("/plugins/" + url.PathEscape(plugin))
	b.Follow("form[action$='/promote'] button")
}

// Breaker resets or opens a breaker; name is WORKFLOW.KEY, do is reset or open.
func (b *Tab) Breaker(name, do string) {
	b.t.Helper()
	b.Go("/health")
	b.Follow(fmt.Sprintf("form[action='/breakers/%s']:has(input[value=%q]) button", do, name))
}

// Countdown checks that a countdown on the page counts.
func (b *Tab) Countdown(selector string) {
	b.t.Helper()
	b.Text(selector, "in ")
	first := b.Read(selector)
	b.Wait("the countdown to move", fmt.Sprintf(`document.querySelector(%q).innerText !== %q`, selector, first))
}
