package workflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cronField is one of the five fields of a cron expression.
type cronField struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

var cronFields = []cronField{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var cronShorthands = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

// checkCron looks at a cron expression.
func checkCron(s string) *problem {
	c, p := parseCron(s, "UTC")
	if p == nil && c.wall(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		p = &problem{code: "bad_cron", message: fmt.Sprintf("%q never comes: that month has no such day", s)}
	}
	return p
}

// checkCronText looks at a cron expression's five fields, each by itself.
func checkCronText(s string) *problem {
	if strings.HasPrefix(s, "@") {
		if slices.Contains(cronShorthands, s) {
			return nil
		}
		return &problem{code: "bad_cron", message: fmt.Sprintf("there is no shorthand %q", s), hint: didYouMean(s, slices.Values(cronShorthands))}
	}
	fields := strings.Fields(s)
	if len(fields) != len(cronFields) {
		return &problem{code: "bad_cron", message: fmt.Sprintf("%q has %d fields, a cron expression has 5", s, len(fields)),
			hint: "minute, hour, day of month, month, day of week: \"*/15 * * * *\""}
	}
	at := 0
	for i, text := range fields {
		at += strings.Index(s[at:], text)
		for part := range strings.SplitSeq(text, ",") {
			if message := cronFields[i].wrong(part); message != "" {
				return &problem{code: "bad_cron", message: message, at: at, width: len(text)}
			}
		}
		at += len(text)
	}
	return nil
}

// wrong says what is wrong with one part of the field's list.
func (f cronField) wrong(part string) string {
	span, step, stepped := strings.Cut(part, "/")
	if stepped {
		if n, err := positiveInt(step); err != nil || n > f.max {
			return fmt.Sprintf("%s: %q is no step", f.name, step)
		}
	}
	if span == "*" {
		return ""
	}
	low, high, ranged := strings.Cut(span, "-")
	a, ok := f.value(low)
	if !ok {
		return fmt.Sprintf("%s: %q is not between %d and %d", f.name, low, f.min, f.max)
	}
	if !ranged {
		return ""
	}
	b, ok := f.value(high)
	if !ok {
		return fmt.Sprintf("%s: %q is not between %d and %d", f.name, high, f.min, f.max)
	}
	if b < a {
		return fmt.Sprintf("%s: the range %s goes backwards", f.name, span)
	}
	return ""
}

func (f cronField) value(s string) (int, bool) {
	if i := slices.Index(f.names, strings.ToLower(s)); i >= 0 {
		return f.min + i, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= f.min && n <= f.max
}

func positiveInt(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err == nil && n < 1 {
		err = strconv.ErrRange
	}
	return n, err
}
