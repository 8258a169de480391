package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"wasmhost/pluginsdk"
)

// question is the input. What it leaves out comes from the settings of the same
// name.
type question struct {
	Prompt      prompt    `json:"prompt,omitempty" doc:"what the model is asked, as the last message of the user; what is no text is given as JSON"`
	System      string    `json:"system,omitempty" doc:"the first message, which says how to answer"`
	Messages    []message `json:"messages,omitempty" doc:"a conversation so far"`
	Model       string    `json:"model,omitempty"`
	Temperature *float64  `json:"temperature,omitempty"`
	MaxTokens   int       `json:"max_tokens,omitempty" doc:"the longest answer, in tokens"`
	JSON        bool      `json:"json,omitempty" doc:"the answer must be JSON"`
	// AllowTruncated takes an answer that was cut at max_tokens, with a warning.
	AllowTruncated bool `json:"allow_truncated,omitempty" doc:"take an answer that was cut, with a warning"`
}

// prompt is text; any other JSON is taken as its own text, since a workflow may
// hand over a whole object where the author thinks of a text.
type prompt string

func (p *prompt) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		s = string(text)
	}
	*p = prompt(s)
	return nil
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// readQuestion reads the input: text is a prompt, and so is the text of an
// object that only has one, such as the output of an agent before this one.
func readQuestion(c pluginsdk.Call, input []byte) (question, error) {
	var q question
	trimmed := bytes.TrimSpace(input)
	if string(trimmed) == "null" {
		// A model would be asked, and paid, for an answer to the word.
		return q, bad("the input is null, and there is nothing to ask: give the node a prompt with `with`, or the workflow an input")
	}
	if len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(trimmed, &object); err != nil {
			return q, bad("the input: " + err.Error())
		}
		_, prompt := object["prompt"]
		_, messages := object["messages"]
		text, hasText := object["text"]
		if !prompt && !messages && hasText && json.Unmarshal(text, &q.Prompt) == nil {
			trimmed = []byte("{}")
		}
		strict, err := pluginsdk.Read[question](trimmed)
		if err != nil {
			return q, err
		}
		if strict.Prompt == "" {
			strict.Prompt = q.Prompt
		}
		q = strict
	} else {
		q.Prompt = prompt(input)
	}
	if strings.TrimSpace(string(q.Prompt)) == "" && len(q.Messages) == 0 {
		return q, bad("there is nothing to ask: give text, {prompt}, or {messages}")
	}
	for i, m := range q.Messages {
		switch m.Role {
		case "system", "developer", "user", "assistant":
		default:
			return q, bad("messages[" + strconv.Itoa(i) + "] has the role " + strconv.Quote(m.Role) + "; known are system, developer, user and assistant")
		}
	}
	return q, q.complete(c)
}

// complete fills in the settings.
func (q *question) complete(c pluginsdk.Call) error {
	if q.Model == "" {
		q.Model = c.ConfigOr("model", "")
	}
	if q.Model == "" {
		return pluginsdk.Permanent("bad_config", "no model is named: set `model` in the plugin's config or in the input")
	}
	if q.System == "" {
		q.System = c.ConfigOr("system", "")
	}
	if v, ok := c.Config("temperature"); ok && q.Temperature == nil {
		t, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return pluginsdk.Permanent("bad_config", "the setting `temperature` is "+strconv.Quote(v)+", no number")
		}
		q.Temperature = &t
	}
	if v, ok := c.Config("max_tokens"); ok && q.MaxTokens == 0 {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return pluginsdk.Permanent("bad_config", "the setting `max_tokens` is "+strconv.Quote(v)+", no number of 1 or more")
		}
		q.MaxTokens = n
	}
	if q.MaxTokens < 0 {
		return bad("max_tokens is " + strconv.Itoa(q.MaxTokens) + ", not 1 or more")
	}
	for name, on := range map[string]*bool{"json": &q.JSON, "allow_truncated": &q.AllowTruncated} {
		v, ok := c.Config(name)
		if !ok || *on {
			continue
		}
		b, err := strconv.ParseBool(v)
		if err != nil {
			return pluginsdk.Permanent("bad_config", "the setting `"+name+"` is "+strconv.Quote(v)+", neither true nor false")
		}
		*on = b
	}
	return nil
}

// body is the request that the API wants.
func (q *question) body() ([]byte, error) {
	messages := make([]message, 0, len(q.Messages)+2)
	if q.System != "" {
		messages = append(messages, message{"system", q.System})
	}
	messages = append(messages, q.Messages...)
	if q.Prompt != "" {
		messages = append(messages, message{"user", string(q.Prompt)})
	}
	request := struct {
		Model          string            `json:"model"`
		Messages       []message         `json:"messages"`
		Temperature    *float64          `json:"temperature,omitempty"`
		MaxTokens      int               `json:"max_tokens,omitempty"`
		ResponseFormat map[string]string `json:"response_format,omitempty"`
		Stream         bool              `json:"stream"`
	}{Model: q.Model, Messages: messages, Temperature: q.Temperature, MaxTokens: q.MaxTokens}
	if q.JSON {
		request.ResponseFormat = map[string]string{"type": "json_object"}
	}
	return json.Marshal(request)
}

func bad(message string) error { return pluginsdk.Permanent("bad_input", message) }
