package server

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

const (
	linkTime    = 10 * time.Minute
	sessionTime = 12 * time.Hour
	mostLinks   = 100
	mostSession = 1000
)

// session is a browser that has logged in. It may do what the token behind it
// may, as long as that is there.
type session struct {
	who     Identity
	expires time.Time
}

// LoginLink is a path that logs a browser in as admin: once, within ten minutes.
// The address of the server comes before it.
func (t *Tokens) LoginLink() (path string, expires time.Time) {
	secret := newSecret("")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	if len(t.links) >= mostLinks {
		clear(t.links) // somebody asks for links and opens none
	}
	expires = t.now().Add(linkTime)
	t.links[digestOf(secret)] = expires
	return "/login?token=" + secret, expires
}

// openLink trades the secret of a login link, which is spent by that, for a
// session.
func (t *Tokens) openLink(secret string) (cookie string, who Identity, err error) {
	sum := digestOf(secret)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	if _, ok := t.links[sum]; !ok {
		return "", Identity{}, errNobody
	}
	delete(t.links, sum)
	t.admin.refresh(t.adminPath())
	if t.admin.secret == "" {
		return "", Identity{}, cmp.Or(t.admin.err, errNobody)
	}
	return t.begin(Identity{Name: adminName, Scope: Admin, token: t.admin.sum})
}

// open trades a token for a session.
func (t *Tokens) open(secret string) (cookie string, who Identity, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	if who, err = t.find(digestOf(secret)); err != nil {
		return "", Identity{}, err
	}
	if who.Name != adminName {
		t.touch(who.token)
	}
	return t.begin(who)
}

// begin begins a session; under t.mu.
func (t *Tokens) begin(who Identity) (cookie string, _ Identity, err error) {
	if len(t.sessions) >= mostSession {
		t.dropOldest()
	}
	cookie = newSecret("")
	who.Session, who.session = true, digestOf(cookie)
	t.sessions[who.session] = &session{who: who, expires: t.now().Add(sessionTime)}
	return cookie, who, nil
}

// resume finds the session of a cookie.
func (t *Tokens) resume(cookie string) (Identity, error) {
	sum := digestOf(cookie)
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[sum]
	if s == nil || !t.now().Before(s.expires) {
		delete(t.sessions, sum)
		return Identity{}, errNobody
	}
	now, err := t.find(s.who.token)
	if err != nil {
		if errors.Is(err, errNobody) { // taken back
			delete(t.sessions, sum)
		}
		return Identity{}, err
	}
	s.who.Scope = now.Scope
	return s.who, nil
}

// end ends a session.
func (t *Tokens) end(who Identity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, who.session)
}

func (t *Tokens) sweep() {
	now := t.now()
	for sum, expires := range t.links {
		if !now.Before(expires) {
			delete(t.links, sum)
		}
	}
	for sum, s := range t.sessions {
		if !now.Before(s.expires) {
			delete(t.sessions, sum)
		}
	}
}

func (t *Tokens) dropOldest() {
	var all []digest
	for sum := range t.sessions {
		all = append(all, sum)
	}
	oldest := slices.MinFunc(all, func(a, b digest) int { return t.sessions[a].expires.Compare(t.sessions[b].expires) })
	delete(t.sessions, oldest)
}
