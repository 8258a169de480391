package pages

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

// notice is what became of a change, shown on the page that follows.
type notice struct {
	Bad    bool
	Text   string
	Report *event.SwapReport
	Secret string  // shown once: a new token
	Answer *answer // that was not taken: its form has it again

	by string
	at time.Time
}

// answer is what a person typed for a node that waits.
type answer struct{ Node, Comment, Output string }

// typedMost is how much of what was typed is kept; longer texts come from a file.
const typedMost = 16 << 10

// notices keeps what the next page shows: in memory, for a short time, under a
// number nobody can guess, so that no address makes a page say what it was told
// to. What a page must not be without is on the page itself.
type notices struct {
	mu   sync.Mutex
	now  func() time.Time
	kept map[string]notice
	old  []string
}

const (
	noticeAge  = 2 * time.Minute
	noticeMost = 500
)

func newNotices(now func() time.Time) *notices {
	return &notices{now: now, kept: map[string]notice{}}
}

func (n *notices) keep(by string, x notice) string {
	id := strings.ToLower(rand.Text()[:16])
	n.mu.Lock()
	defer n.mu.Unlock()
	x.by, x.at = by, n.now()
	n.kept[id] = x
	n.old = append(n.old, id)
	for len(n.old) > noticeMost || len(n.old) > 0 && n.now().Sub(n.kept[n.old[0]].at) > noticeAge {
		delete(n.kept, n.old[0])
		n.old = n.old[1:]
	}
	return id
}

func (n *notices) find(by, id string) *notice {
	if id == "" {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	x, ok := n.kept[id]
	if !ok || x.by != by || n.now().Sub(x.at) > noticeAge {
		return nil
	}
	if x.Secret != "" { // once
		delete(n.kept, id)
	}
	return &x
}

// goTo ends a change: the browser goes to a page of ours, which shows the notice.
func (p *Pages) goTo(w http.ResponseWriter, r *http.Request, page string, x notice) {
	id := p.notices.keep(server.IdentityOf(r.Context()).Name, x)
	mark := "?"
	if strings.Contains(page, "?") {
		mark = "&"
	}
	page, place, _ := strings.Cut(page, "#")
	page += mark + "note=" + id
	if place != "" {
		page += "#" + place
	}
	http.Redirect(w, r, page, http.StatusSeeOther)
}

// again ends an answer that was not taken: the form that follows has it again.
func (p *Pages) again(w http.ResponseWriter, r *http.Request, page string, typed answer, err error) {
	server.ChangeOf(r.Context()).Err = err
	if len(typed.Comment) > typedMost {
		typed.Comment = ""
	}
	if len(typed.Output) > typedMost {
		typed.Output = ""
	}
	p.goTo(w, r, page, notice{Bad: true, Text: wording(err), Answer: &typed})
}

// done ends a change that went well, or not: then the audit hears of it.
func (p *Pages) done(w http.ResponseWriter, r *http.Request, page, text string, err error) {
	if err != nil {
		server.ChangeOf(r.Context()).Err = err
		p.goTo(w, r, page, notice{Bad: true, Text: wording(err)})
		return
	}
	p.goTo(w, r, page, notice{Text: text})
}
