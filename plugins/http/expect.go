package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"wasmhost/pluginsdk"
)

// expected are the statuses that are a success; none: 200 to 299.
type expected []statuses

// statuses is a range, both ends in it.
type statuses struct{ from, to int }

func (e expected) allows(status int) bool {
	if len(e) == 0 {
		return status >= 200 && status <= 299
	}
	for _, s := range e {
		if status >= s.from && status <= s.to {
			return true
		}
	}
	return false
}

// String writes the statuses as they were given.
func (e expected) String() string {
	if len(e) == 0 {
		return "2xx"
	}
	parts := make([]string, len(e))
	for i, s := range e {
		parts[i] = strconv.Itoa(s.from)
		if s.from != s.to {
			parts[i] = strconv.Itoa(s.from/100) + "xx"
		}
	}
	return strings.Join(parts, " or ")
}

// UnmarshalJSON reads 200, "2xx", or a list of both.
func (e *expected) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		list = []json.RawMessage{text}
	}
	*e = nil
	for _, item := range list {
		s, err := parseStatuses(strings.Trim(string(item), `"`))
		if err != nil {
			return err
		}
		*e = append(*e, s)
	}
	return nil
}

func parseStatuses(text string) (statuses, error) {
	if len(text) == 3 && strings.HasSuffix(strings.ToLower(text), "xx") && text[0] >= '1' && text[0] <= '5' {
		from := int(text[0]-'0') * 100
		return statuses{from, from + 99}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 || n > 599 {
		return statuses{}, errors.New("expect: " + strconv.Quote(text) + " is neither a status from 100 to 599 nor a group such as 2xx")
	}
	return statuses{n, n}, nil
}

// expectSetting reads the setting `expect`: statuses and groups, with commas.
func expectSetting(c pluginsdk.Call) (expected, error) {
	text, ok := c.Config("expect")
	if !ok {
		return nil, nil
	}
	var e expected
	for part := range strings.SplitSeq(text, ",") {
		s, err := parseStatuses(strings.TrimSpace(part))
		if err != nil {
			return nil, pluginsdk.Permanent("bad_config", "the setting "+err.Error())
		}
		e = append(e, s)
	}
	return e, nil
}
