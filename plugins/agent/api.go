package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"wasmhost/pluginsdk"
)

const defaultBaseURL = "https://api.openai.com/v1"

// newRequest is a request to the API. The key is put in here only when the
// plugin was given one: usually the host adds the Authorization header itself,
// and the plugin never sees the key.
func newRequest(c pluginsdk.Call, method, path string) *pluginsdk.Request {
	r := &pluginsdk.Request{Method: method, URL: strings.TrimRight(c.ConfigOr("base_url", defaultBaseURL), "/") + path,
		Headers: map[string]string{"Accept": "application/json"}}
	key, ok := c.Config("api_key")
	if name, named := c.Config("secret"); !ok && named {
		key, ok = c.Secret(name)
	}
	if ok {
		r.Headers["Authorization"] = "Bearer " + key
	}
	return r
}

// refusal is nil for a status of 2xx, else what the server's no means.
func refusal(request *pluginsdk.Request, response *pluginsdk.Response, now time.Time) error {
	if response.OK() {
		return nil
	}
	reason, serverCode := serverError(response.Body)
	e := classify(response, serverCode)
	e.Message = request.URL + " answered " + strconv.Itoa(response.Status) + ": " + reason + hint(e.Code)
	if e.Class == pluginsdk.ClassTransient {
		e.RetryAfter = response.RetryAfter(now)
	}
	return e
}

// classify gives a status its class and code. 529 is what some servers answer
// when they are overloaded.
func classify(response *pluginsdk.Response, serverCode string) *pluginsdk.Error {
	switch status := response.Status; {
	case serverCode == "insufficient_quota":
		return pluginsdk.Permanent("quota_exceeded", "") // a 429 that no wait heals
	case status == 429:
		return pluginsdk.Transient("too_many_requests", "")
	case status == 408 || status == 504:
		return pluginsdk.Transient("server_timeout", "")
	case status == 529 || response.Transient():
		return pluginsdk.Transient("unavailable", "")
	case status == 401:
		return pluginsdk.Permanent("unauthorized", "")
	case status == 403:
		return pluginsdk.Permanent("forbidden", "")
	case status == 404:
		return pluginsdk.Permanent("model_not_found", "")
	case serverCode == "context_length_exceeded" || status == 413:
		return pluginsdk.Permanent("too_long", "")
	case status == 400 || status == 422:
		return pluginsdk.Permanent("bad_request", "")
	}
	return pluginsdk.Permanent("unexpected_status", "")
}

func hint(code string) string {
	switch code {
	case "unauthorized":
		return " (is the key right, and granted to this plugin for this server?)"
	case "model_not_found":
		return " (are base_url and model right?)"
	}
	return ""
}

// serverError finds the reason in a body: {"error":{"message","code"}} as
// OpenAI writes it, {"error":"…"} and {"message":"…"} as others do, else the
// beginning of the text.
func serverError(body []byte) (reason, code string) {
	var object struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(body, &object) != nil {
		return excerpt(body), ""
	}
	var inner struct {
		Message string          `json:"message"`
		Code    json.RawMessage `json:"code"`
	}
	if json.Unmarshal(object.Error, &inner) == nil && inner.Message != "" {
		// Some servers write a number as the code.
		if json.Unmarshal(inner.Code, &code) != nil {
			code = ""
		}
		return excerpt([]byte(inner.Message)), code
	}
	var text string
	if json.Unmarshal(object.Error, &text) == nil && text != "" {
		return excerpt([]byte(text)), ""
	}
	if object.Message != "" {
		return excerpt([]byte(object.Message)), ""
	}
	return excerpt(body), ""
}

// check asks for the list of models: it costs nothing and needs the key.
func check(c pluginsdk.Call) (map[string]any, error) {
	request := newRequest(c, "GET", "/models")
	response, err := c.HTTP(request)
	if err != nil {
		return nil, err
	}
	if err := refusal(request, response, time.Now()); err != nil {
		return nil, err
	}
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	details := map[string]any{"url": request.URL, "status": response.Status}
	if json.Unmarshal(response.Body, &list) != nil {
		return nil, pluginsdk.Transient("invalid_answer", request.URL+" answered with a body that is no list of models: "+excerpt(response.Body))
	}
	details["models"] = len(list.Data)
	if model, ok := c.Config("model"); ok {
		details["model"] = model
		listed := false
		for _, m := range list.Data {
			listed = listed || m.ID == model
		}
		details["model_listed"] = listed
	}
	return details, nil
}
