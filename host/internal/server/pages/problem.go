package pages

import (
	"context"
	"errors"
	"net/http"

	"wasmhost/host/event"
)

// wording is an error as a person reads it: without its code, which is for
// programs.
func wording(err error) string {
	var e *event.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return err.Error()
}

func codeOf(err error) string {
	var e *event.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// statusOf is the status of an answer that is an error.
func statusOf(err error) int {
	switch codeOf(err) {
	case "not_found":
		return http.StatusNotFound
	case "ambiguous":
		return http.StatusConflict
	case "invalid_input", "bad_run_id", "bad_request":
		return http.StatusUnprocessableEntity
	case "stopping":
		return http.StatusServiceUnavailable
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
