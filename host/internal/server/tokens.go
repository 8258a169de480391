package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wasmhost/host/event"
)

// adminName is the name of the token of the state folder, which no other token
// may have.
const adminName = "admin"

// digest is the SHA-256 of a secret. Secrets have 256 random bits, so nothing
// slower is needed to keep them from being found out.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

// TokenInfo is a token as it is listed. The secret is told once, by Add.
type TokenInfo struct {
	Name    string    `json:"name"`
	Scope   Scope     `json:"scope"`
	Created time.Time `json:"created"`
	// LastUsed is exact to a minute, zero when it was never used.
	LastUsed time.Time `json:"last_used,omitzero"`
}

// Tokens are those of a state folder: the admin token in a file that only its
// owner reads, the others as digests in tokens.json. Several processes may have
// them open: what one adds or removes holds in the others at once. Login links
// and sessions live in this process alone. Safe for concurrent use.
type Tokens struct {
	dir string
	now func() time.Time

	mu       sync.Mutex
	admin    adminFile
	file     tokenFile
	used     map[digest]time.Time
	usedSeen time.Time // when used was last written
	links    map[digest]time.Time
	sessions map[digest]*session
}

// OpenTokens opens the tokens of a state folder, and makes the admin token where
// there is none yet. Code bad_tokens: a file of them cannot be read; nothing is
// served then, rather than to everybody.
func OpenTokens(dir string) (*Tokens, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	t := &Tokens{dir: dir, now: time.Now, used: map[digest]time.Time{}, links: map[digest]time.Time{}, sessions: map[digest]*session{}}
	if err := t.admin.make(t.adminPath()); err != nil {
		return nil, err
	}
	if err := t.file.read(t.filePath()); err != nil {
		return nil, err
	}
	t.readUsed()
	return t, nil
}

func (t *Tokens) adminPath() string { return filepath.Join(t.dir, "admin.token") }
func (t *Tokens) filePath() string  { return filepath.Join(t.dir, "tokens.json") }

// Admin is the admin token; "" while its file is not there.
func (t *Tokens) Admin() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.admin.refresh(t.adminPath())
	return t.admin.secret
}

// AdminFile is the file that has the admin token.
func (t *Tokens) AdminFile() string { return t.adminPath() }

// Add makes a token and returns its secret, which is kept nowhere. Codes
// bad_request (name or scope), token_exists, bad_tokens.
func (t *Tokens) Add(name string, scope Scope) (secret string, err error) {
	if !isID(name) {
		return "", refusal("bad_request", fmt.Sprintf("token name %q: use 1 to 128 of the characters A-Z a-z 0-9 . _ -, and not dots alone", name))
	}
	if scope.rank() == 0 {
		_, err := ParseScope(string(scope))
		return "", err
	}
	if name == adminName || name == localName {
		return "", refusal("token_exists", fmt.Sprintf("the name %q is taken by the host itself; choose another", name))
	}
	secret = newSecret("host_")
	sum := digestOf(secret)
	err = t.change(func(all []tokenRow) ([]tokenRow, error) {
		if slices.ContainsFunc(all, func(r tokenRow) bool { return r.Name == name }) {
			return nil, refusal("token_exists", fmt.Sprintf("there is a token %q already; remove it first, or choose another name", name))
		}
		return append(all, tokenRow{Name: name, Scope: scope, Created: t.now().UTC().Truncate(time.Second), sum: sum}), nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// List are the tokens by name, the admin token left out.
func (t *Tokens) List() ([]TokenInfo, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.file.refresh(t.filePath()); err != nil {
		return nil, err
	}
	t.readUsed()
	all := make([]TokenInfo, 0, len(t.file.rows))
	for _, r := range t.file.rows {
		all = append(all, TokenInfo{Name: r.Name, Scope: r.Scope, Created: r.Created, LastUsed: t.used[r.sum]})
	}
	slices.SortFunc(all, func(a, b TokenInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Remove takes a token back; its sessions and streams end. Code not_found.
func (t *Tokens) Remove(name string) error {
	return t.change(func(all []tokenRow) ([]tokenRow, error) {
		rest := slices.DeleteFunc(slices.Clone(all), func(r tokenRow) bool { return r.Name == name })
		if len(rest) == len(all) {
			return nil, refusal("not_found", fmt.Sprintf("there is no token %q; the list of tokens has their names", name))
		}
		return rest, nil
	})
}

// change writes the file anew, with no other process between.
func (t *Tokens) change(edit func([]tokenRow) ([]tokenRow, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	unlock, err := lock(t.filePath() + ".lock")
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	defer unlock()
	if err := t.file.refresh(t.filePath()); err != nil {
		return err
	}
	rows, err := edit(t.file.rows)
	if err != nil {
		return err
	}
	return t.file.write(t.filePath(), rows)
}

// Check finds out whose secret it is.
func (t *Tokens) Check(secret string) (Identity, bool) {
	who, err := t.check(secret)
	return who, err == nil
}

var errNobody = errors.New("nobody has this secret")

// check is Check that tells a wrong secret from a file that cannot be read.
func (t *Tokens) check(secret string) (Identity, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, err := t.find(digestOf(secret))
	if err == nil && who.Name != adminName {
		t.touch(who.token)
	}
	return who, err
}

// find looks a digest up. Every row is compared, in constant time each.
func (t *Tokens) find(sum digest) (Identity, error) {
	t.admin.refresh(t.adminPath())
	if t.admin.secret != "" && subtle.ConstantTimeCompare(t.admin.sum[:], sum[:]) == 1 {
		return Identity{Name: adminName, Scope: Admin, token: sum}, nil
	}
	if err := t.file.refresh(t.filePath()); err != nil {
		return Identity{}, err
	}
	who, found := Identity{}, errNobody
	for i := range t.file.rows {
		r := &t.file.rows[i]
		if subtle.ConstantTimeCompare(r.sum[:], sum[:]) == 1 {
			who, found = Identity{Name: r.Name, Scope: r.Scope, token: sum}, nil
		}
	}
	if found != nil && t.admin.err != nil {
		return who, t.admin.err // it might have been the admin token
	}
	return who, found
}

// still reports whether an identity that was accepted still would be.
func (t *Tokens) still(who Identity) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if who.Session {
		s := t.sessions[who.session]
		if s == nil || !t.now().Before(s.expires) {
			return false
		}
	}
	now, err := t.find(who.token)
	return err == nil && now.Scope.Contains(who.Scope)
}

func newSecret(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails: it ends the process rather
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// stamp tells a file from the one that was there before.
type stamp struct{ info fs.FileInfo }

func (s stamp) same(path string) (now stamp, same bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, s.info == nil, nil
	}
	if err != nil {
		return stamp{}, false, err
	}
	now = stamp{info}
	return now, s.info != nil && os.SameFile(s.info, info) && s.info.ModTime().Equal(info.ModTime()) && s.info.Size() == info.Size() && s.info.Mode() == info.Mode(), nil
}

func refusal(code, message string) *event.Error {
	return &event.Error{Class: event.Permanent, Code: code, Message: message}
}
