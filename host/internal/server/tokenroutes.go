package server

import (
	"net/http"
	"time"
)

// NewToken is a token that was just made. The secret is told only now.
type NewToken struct {
	Name   string `json:"name"`
	Scope  Scope  `json:"scope"`
	Secret string `json:"secret"`
}

// LoginLink is a path that logs a browser in once.
type LoginLink struct {
	Path    string    `json:"path"`
	Expires time.Time `json:"expires"`
}

// tokens are those of the server, if it asks for any.
func (c *call) tokens() (*Tokens, error) {
	if c.cfg.Tokens == nil || c.cfg.NoAuth {
		return nil, refusal("no_tokens", "the server runs without authentication")
	}
	return c.cfg.Tokens, nil
}

func listTokens(c *call) error {
	t, err := c.tokens()
	if err != nil {
		return err
	}
	all, err := t.List()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"tokens": all})
}

func addToken(c *call) error {
	t, err := c.tokens()
	if err != nil {
		return err
	}
	var name, scopeName string
	if err := decodeObject(c.body, into("name", &name), into("scope", &scopeName)); err != nil {
		return err
	}
	c.change.Target, c.change.Detail = shorten(name), "scope "+shorten(scopeName)
	scope, err := ParseScope(scopeName)
	if err != nil {
		return err
	}
	secret, err := t.Add(name, scope)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, NewToken{name, scope, secret})
}

func removeToken(c *call) error {
	name, err := c.id("name")
	if err != nil {
		return err
	}
	t, err := c.tokens()
	if err != nil {
		return err
	}
	if err := t.Remove(name); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func makeLink(c *call) error {
	if err := decodeObject(c.body); err != nil {
		return err
	}
	t, err := c.tokens()
	if err != nil {
		return err
	}
	path, expires := t.LoginLink()
	return c.answer(http.StatusCreated, LoginLink{path, expires.UTC()})
}
