package pages

import (
	"cmp"
	"net/http"

	"wasmhost/host/internal/server"
)

// problem is why there is no page.
type problem struct {
	Title, Text, Code, Next string
}

// problemView is the page in place of one that cannot be shown.
func problemView(p *server.Problem) *view {
	b := problem{Title: titleOf(p), Text: cmp.Or(p.Detail, p.Title), Code: p.Code}
	switch p.Status {
	case http.StatusForbidden:
		if p.Code == "forbidden" {
			b.Next = "Ask whoever runs this service for a token with more scope, and log in with it."
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusConflict, http.StatusUnprocessableEntity:
		// The text says it, and the next thing is meant for programs.
	default:
		b.Next = "What to do: " + p.Next + "."
	}
	return &view{Name: "problem", Title: b.Title, Body: b, Status: p.Status}
}

func titleOf(p *server.Problem) string {
	switch p.Status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusUnauthorized:
		return "Please log in"
	}
	switch {
	case p.Code == "ambiguous":
		return "Several could be meant"
	case p.Code == "stopping":
		return "Stopping"
	case p.Status >= 500:
		return "The service could not answer"
	}
	return "That did not work"
}

// wording is an error as a person reads it: without its code, which is for
// programs.
func wording(err error) string { return server.ProblemOf(err).Detail }
