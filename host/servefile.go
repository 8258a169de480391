package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"wasmhost/host/internal/journal"
	"wasmhost/host/internal/server"
)

// What others need to find a server, and to talk to it.
type (
	// Client asks a server what this package's Host would do itself.
	Client = server.Client
	// Tokens are the bearer tokens of a state folder; TokenInfo is one as it is
	// listed, Scope what it may do.
	Tokens    = server.Tokens
	TokenInfo = server.TokenInfo
	Scope     = server.Scope
	// StartRequest asks for a run.
	StartRequest = server.StartRequest
)

// Scopes are what a token may be for, the least first.
var Scopes = server.Scopes

// Dial makes a client of the server at url. Nothing is sent yet, and a URL that makes
// no sense is told by the first call.
func Dial(url, token string) *Client { return server.Dial(url, token) }

// OpenTokens opens the tokens of a state folder, and makes the admin token when
// there is none.
func OpenTokens(state string) (*Tokens, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	return server.OpenTokens(state)
}

const serveFile = "serve.json"

// Served says where the server is that has a state folder. The error is
// fs.ErrNotExist when there is none. A server that was killed leaves its word
// behind, and anybody may listen at its address by now: only the word of the one
// that holds the folder counts, for callers go there with a token.
func Served(state string) (*ServeInfo, error) {
	file := filepath.Join(state, serveFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var info ServeInfo
	if err := json.Unmarshal(text, &info); err != nil || info.URL == "" {
		return nil, fmt.Errorf("%s cannot be read: %w", file, errors.Join(err, fs.ErrNotExist))
	}
	if pid, ok := journal.Serving(state); !ok || pid != info.PID {
		return nil, fmt.Errorf("the server that %s names is gone: %w", file, fs.ErrNotExist)
	}
	return &info, nil
}

// announce writes where the server is, for those who have the state folder.
func (s *served) announce(info ServeInfo) (forget func(), err error) {
	file := filepath.Join(s.config.State, serveFile)
	text, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	if err := writeWhole(file, append(text, '\n')); err != nil {
		return nil, fmt.Errorf("where the server is cannot be written down: %w", err)
	}
	return func() { _ = os.Remove(file) }, nil
}
