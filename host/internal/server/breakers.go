package server

import (
	"context"
	"net/http"

	"wasmhost/host/event"
)

func listBreakers(c *call) error {
	all, err := c.cfg.Service.AllBreakers(c.ctx)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"breakers": some(all)})
}

func resetBreaker(c *call) error { return c.breaker(c.cfg.Service.ResetBreaker) }
func openBreaker(c *call) error  { return c.breaker(c.cfg.Service.OpenBreaker) }

func (c *call) breaker(set func(context.Context, string) (*event.BreakerInfo, error)) error {
	key, err := c.name("key")
	if err != nil {
		return err
	}
	if err := decodeObject(c.body); err != nil {
		return err
	}
	info, err := set(c.ctx, key)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, info)
}
