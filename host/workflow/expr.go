package workflow

import (
	"context"
	"errors"
	"fmt"

	"wasmhost/host/event"
)

// Expr is one compiled expression. It is immutable and safe for concurrent use.
//
// The language is that of expr-lang/expr, whose parser and type checker are
// used; evaluation is our own, because three promises cannot be kept through
// its virtual machine: numbers keep their digits (a json.Number is a string to
// it), a null or a missing key is an error with its place, and the cost of an
// evaluation is bounded whatever the expression does.
type Expr struct {
	source string
	origin origin
	root   op
}

// String returns the expression as it was written.
func (e *Expr) String() string { return e.source }

// op is a node of a compiled expression. Values are nil, bool, string, int64,
// float64, json.Number, []any and map[string]any.
type op interface {
	eval(m *machine) (any, error)
}

// exprError is what is wrong with an expression, at byte offset at of it.
type exprError struct {
	at, width           int
	code, message, hint string
	alone               bool // other errors of the expression only follow from it
}

func (e *exprError) Error() string { return e.message }

// fault is an error of an evaluation, at a place of the expression.
type fault struct {
	at      int
	message string
	cause   error
}

func (f *fault) Error() string { return f.message }

func faultf(at int, format string, args ...any) error {
	return &fault{at: at, message: fmt.Sprintf(format, args...)}
}

// Value evaluates the expression. An error is an *event.Error of class
// permanent and code "expression" that names the place.
func (e *Expr) Value(ctx context.Context, s *Scope) (event.Value, error) {
	if direct, ok := e.root.(valueOp); ok {
		// The value passes through as it came: neither parsed nor copied.
		return direct.value(s), nil
	}
	v, err := e.run(ctx, s)
	if err != nil {
		return event.Null, err
	}
	return event.Of(v), nil
}

// valueOp is an op that stands for a whole value of the scope.
type valueOp interface {
	value(s *Scope) event.Value
}

// run evaluates to a JSON value in the form of event.Value.Any.
func (e *Expr) run(ctx context.Context, s *Scope) (any, error) {
	m := machine{ctx: ctx, scope: s, ticks: tickBudget, effort: effortBudget}
	v, err := e.root.eval(&m)
	if err == nil {
		if _, path := e.root.(*memberOp); !path {
			v, _, err = m.plain(0, v, 0)
		}
	}
	if err != nil {
		return nil, e.failure(err)
	}
	return v, nil
}

// Bool evaluates a condition; anything but true and false is an error.
func (e *Expr) Bool(ctx context.Context, s *Scope) (bool, error) {
	v, err := e.run(ctx, s)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, e.failure(faultf(0, "a condition must be true or false, this is %s", describe(v)))
	}
	return b, nil
}

// failure turns an error of an evaluation into what the run reports.
func (e *Expr) failure(err error) error {
	at, message, cause := 0, err.Error(), err
	var f *fault
	if errors.As(err, &f) {
		at, message, cause = f.at, f.message, f.cause
	}
	return &event.Error{
		Class: event.Permanent, Code: "expression",
		Message: fmt.Sprintf("%s%s, in {{ %s }}", e.origin.prefix(at), message, e.source),
		Cause:   cause,
	}
}
