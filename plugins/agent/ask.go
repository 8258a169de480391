package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"wasmhost/pluginsdk"
)

// answer is the output.
type answer struct {
	Text         string          `json:"text"`
	Model        string          `json:"model" doc:"the model that answered, as the server names it"`
	Usage        usage           `json:"usage"`
	FinishReason string          `json:"finish_reason"`
	JSON         json.RawMessage `json:"json,omitempty" doc:"the answer as JSON, in JSON mode"`
}

// usage counts tokens; zeros where the server does not count.
type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// completion is what the API answers, as far as it is read.
type completion struct {
	Model   string `json:"model"`
	Usage   usage  `json:"usage"`
	Choices []struct {
		FinishReason string `json:"finish_reason"`
		Message      struct {
			Content *string `json:"content"`
			Refusal string  `json:"refusal"`
		} `json:"message"`
	} `json:"choices"`
	Error json.RawMessage `json:"error"`
}

func ask(c pluginsdk.Call, input []byte) (answer, error) {
	q, err := readQuestion(c, input)
	if err != nil {
		return answer{}, err
	}
	body, err := q.body()
	if err != nil {
		return answer{}, bad("the question cannot be written as JSON: " + err.Error())
	}
	request := newRequest(c, "POST", "/chat/completions")
	request.Headers["Content-Type"] = "application/json"
	request.Body = body
	// No idempotency key: a server that knew it would repeat the very answer that
	// the retry is meant to replace.
	response, err := c.HTTP(request)
	if err != nil {
		return answer{}, err
	}
	if err := refusal(request, response, time.Now()); err != nil {
		return answer{}, err
	}
	a, err := read(q, request, response)
	if err == nil && a.FinishReason == "length" {
		c.Warn("truncated", "the answer was cut after "+strconv.Itoa(a.Usage.CompletionTokens)+" tokens")
	}
	return a, err
}

// read finds the answer in a response of status 2xx. A server that answers
// nonsense once may answer well the next time; one that was asked for too much
// will not.
func read(q question, request *pluginsdk.Request, response *pluginsdk.Response) (answer, error) {
	var got completion
	if err := json.Unmarshal(response.Body, &got); err != nil {
		return answer{}, pluginsdk.Transient("invalid_answer", request.URL+" answered "+strconv.Itoa(response.Status)+
			" with a body that is no chat completion: "+err.Error()+": "+excerpt(response.Body))
	}
	if len(got.Choices) == 0 {
		if len(got.Error) > 0 && string(got.Error) != "null" {
			return answer{}, pluginsdk.Transient("invalid_answer", request.URL+" answered "+strconv.Itoa(response.Status)+" with an error in it: "+excerpt(got.Error))
		}
		return answer{}, pluginsdk.Transient("empty_answer", request.URL+" answered without a choice: "+excerpt(response.Body))
	}
	choice := got.Choices[0]
	a := answer{Model: got.Model, Usage: got.Usage, FinishReason: choice.FinishReason}
	if a.Model == "" {
		a.Model = q.Model
	}
	if choice.Message.Content != nil {
		a.Text = *choice.Message.Content
	}
	switch {
	case choice.FinishReason == "content_filter":
		return answer{}, pluginsdk.Permanent("content_filtered", "the server's content filter stopped the answer of "+a.Model)
	case choice.Message.Refusal != "":
		return answer{}, pluginsdk.Permanent("refused", a.Model+" refused to answer: "+excerpt([]byte(choice.Message.Refusal)))
	case choice.FinishReason == "length" && (!q.AllowTruncated || q.JSON):
		return answer{}, pluginsdk.Permanent("truncated", "the answer of "+a.Model+" was cut after "+
			strconv.Itoa(a.Usage.CompletionTokens)+" tokens: raise max_tokens, ask for less, or set allow_truncated")
	case strings.TrimSpace(a.Text) == "":
		return answer{}, pluginsdk.Transient("empty_answer", a.Model+" answered with nothing (finish_reason "+strconv.Quote(choice.FinishReason)+")")
	}
	if q.JSON {
		text := unfence([]byte(a.Text))
		if !json.Valid(text) {
			return answer{}, pluginsdk.Transient("invalid_json", "JSON was asked for, and "+a.Model+" answered: "+excerpt([]byte(a.Text)))
		}
		a.JSON = text
	}
	return a, nil
}

// unfence takes the Markdown fence off that some models put around JSON.
func unfence(text []byte) []byte {
	text = bytes.TrimSpace(text)
	inner, fenced := bytes.CutPrefix(text, []byte("```"))
	if !fenced {
		return text
	}
	inner, fenced = bytes.CutSuffix(inner, []byte("```"))
	if !fenced {
		return text
	}
	return bytes.TrimSpace(bytes.TrimPrefix(inner, []byte("json")))
}

// excerpt is the beginning of a text, for messages.
func excerpt(text []byte) string {
	const most = 300
	s := strings.ToValidUTF8(strings.TrimSpace(string(text)), "�")
	if s == "" {
		return "(nothing)"
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
