package resilience

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Rule gives a class to failures that it matches: by one of its codes or by its
// pattern, whichever matches first. Codes that are decimal numbers compare as
// numbers ("404" is "404.0"), other codes letter by letter.
type Rule struct {
	Class Class
	Codes []string
	Match *regexp.Regexp // on the message; nil: codes only
}

// Signal is what is known of an error when its class is asked for.
type Signal struct {
	Err error
	// Class is the class that somebody named already: with Declared the failing
	// part itself, which is final; else whoever asks, which rules overrule.
	Class    Class
	Declared bool
	Code     string
	Message  string // taken from Err when empty
	// HTTPStatus is the status of a response, 0 where there was none.
	HTTPStatus int
}

// Classifier finds the class of an error. It asks, in this order: the class that
// was declared, the rules (first match), typed causes and known codes, the words
// of the message. The zero Classifier has no rules. It is immutable in use and
// safe for concurrent use.
type Classifier struct{ Rules []Rule }

// DefaultClassifier has no rules.
var DefaultClassifier = &Classifier{}

// Classify returns the class; it is never empty.
func (c *Classifier) Classify(s Signal) Class {
	if s.Declared && s.Class != "" {
		return s.Class
	}
	if s.Message == "" && s.Err != nil {
		s.Message = s.Err.Error()
	}
	if c != nil {
		for i := range c.Rules {
			if c.Rules[i].matches(&s) {
				return c.Rules[i].Class
			}
		}
	}
	return cmp.Or(s.Class, classOfStatus(s.HTTPStatus), classOfCode(s.Code), classOfError(s.Err), classOfWords(s.Message), Unknown)
}

// Failure turns any error into a failure. One that is a *Failure already stays
// what it is. What an error says of itself is heard: methods HTTPStatus() int or
// StatusCode() int, Code() string and RetryAfter() time.Duration. A nil error is
// nil.
func (c *Classifier) Failure(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := err.(*Failure); ok {
		return f
	}
	s := Signal{Err: err, Message: err.Error()}
	f := &Failure{Message: s.Message, Cause: err}

	var inner *Failure
	var status interface{ HTTPStatus() int }
	var statusCode interface{ StatusCode() int }
	var code interface{ Code() string }
	var retryAfter interface{ RetryAfter() time.Duration }
	if errors.As(err, &inner) { // wrapped: the message is that of the whole
		f.Class, f.Code, f.RetryAfter, f.OutcomeUnknown = inner.Class, inner.Code, inner.RetryAfter, inner.OutcomeUnknown
		return f
	}
	if errors.As(err, &status) {
		s.HTTPStatus = status.HTTPStatus()
	} else if errors.As(err, &statusCode) {
		s.HTTPStatus = statusCode.StatusCode()
	}
	if errors.As(err, &code) {
		s.Code = code.Code()
	}
	if errors.As(err, &retryAfter) {
		f.RetryAfter = max(retryAfter.RetryAfter(), 0)
	}
	f.Class, f.Code, f.OutcomeUnknown = c.Classify(s), s.Code, mayHaveHappened(err)
	return f
}

func (r *Rule) matches(s *Signal) bool {
	for _, code := range r.Codes {
		if s.Code != "" && sameCode(code, s.Code) || s.HTTPStatus != 0 && sameCode(code, strconv.Itoa(s.HTTPStatus)) {
			return true
		}
	}
	return r.Match != nil && r.Match.MatchString(s.Message)
}

func sameCode(a, b string) bool {
	if a == b {
		return true
	}
	x, okA := decimal(a)
	y, okB := decimal(b)
	return okA && okB && x == y
}

// decimal brings a decimal number into one form, however many digits it has.
func decimal(s string) (string, bool) {
	sign := ""
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = "-", s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || !digits(whole) || point && (fraction == "" || !digits(fraction)) {
		return "", false
	}
	whole = cmp.Or(strings.TrimLeft(whole, "0"), "0")
	fraction = strings.TrimRight(fraction, "0")
	if whole == "0" && fraction == "" {
		sign = ""
	}
	return sign + whole + "." + fraction, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// words are the lists that decide when nothing better is known, in their order.
var words = []struct {
	class Class
	any   []string
}{
	{Transient, []string{"timeout", "timed out", "network", "connection", "temporary", "rate limit", "too many requests", "unavailable"}},
	{Permanent, []string{"authentication", "unauthorized", "permission", "forbidden", "not found", "invalid"}},
	{System, []string{"memory", "disk", "resource", "capacity"}},
}

func classOfWords(message string) Class {
	message = strings.ToLower(message)
	for _, list := range words {
		for _, word := range list.any {
			if strings.Contains(message, word) {
				return list.class
			}
		}
	}
	return ""
}
