package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wasmhost/pluginsdk"
	"wasmhost/pluginsdk/pluginsdktest"
)

// server answers every request with one status and body, and keeps the last
// request.
type server struct {
	*httptest.Server
	status  int
	headers map[string]string
	body    string

	path, auth, key string
	asked           map[string]any
}

func newServer(t *testing.T) *server {
	s := &server{status: 200, headers: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.path, s.auth, s.key = r.Method+" "+r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key")
		s.asked = nil
		if text, _ := io.ReadAll(r.Body); len(text) > 0 {
			if err := json.Unmarshal(text, &s.asked); err != nil {
				t.Errorf("the request is no JSON: %s", text)
			}
		}
		for name, value := range s.headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(s.status)
		io.WriteString(w, s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) host(config ...string) *pluginsdktest.Host {
	h := &pluginsdktest.Host{Config: map[string]string{"base_url": s.URL + "/v1/", "model": "m"}}
	for i := 0; i < len(config); i += 2 {
		h.Config[config[i]] = config[i+1]
	}
	return h
}

func completionOf(content, finish string) string {
	text, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return `{"id":"x","model":"m-2","choices":[{"index":0,"message":{"role":"assistant","content":` + string(text) +
		`},"finish_reason":"` + finish + `"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"extra":{}}}`
}

func TestAsks(t *testing.T) {
	tests := []struct {
		name   string
		config []string
		input  string
		want   string // the body of the request
	}{
		{"text", nil, "hello", `{"messages":[{"content":"hello","role":"user"}],"model":"m","stream":false}`},
		{"text that is a JSON list", nil, "[1]", `{"messages":[{"content":"[1]","role":"user"}],"model":"m","stream":false}`},
		{"everything", nil, `{"prompt":"p","system":"s","messages":[{"role":"assistant","content":"a"}],"model":"big","temperature":0,"max_tokens":9,"json":true}`,
			`{"max_tokens":9,"messages":[{"content":"s","role":"system"},{"content":"a","role":"assistant"},{"content":"p","role":"user"}],"model":"big","response_format":{"type":"json_object"},"stream":false,"temperature":0}`},
		{"settings", []string{"system", "be brief", "temperature", "0.5", "max_tokens", "3", "json", "true"}, `{"prompt":"p"}`,
			`{"max_tokens":3,"messages":[{"content":"be brief","role":"system"},{"content":"p","role":"user"}],"model":"m","response_format":{"type":"json_object"},"stream":false,"temperature":0.5}`},
		{"input before settings", []string{"system", "a", "temperature", "1"}, `{"prompt":"p","system":"b","temperature":0.25}`,
			`{"messages":[{"content":"b","role":"system"},{"content":"p","role":"user"}],"model":"m","stream":false,"temperature":0.25}`},
		{"messages only", nil, `{"messages":[{"role":"user","content":"q"}]}`, `{"messages":[{"content":"q","role":"user"}],"model":"m","stream":false}`},
		{"a prompt that is an object", nil, `{"prompt":{"a":1}}`, `{"messages":[{"content":"{\"a\":1}","role":"user"}],"model":"m","stream":false}`},
		{"the output of an agent", nil, `{"text":"earlier","model":"other","usage":{},"finish_reason":"stop"}`, `{"messages":[{"content":"earlier","role":"user"}],"model":"m","stream":false}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.body = completionOf(`{"ok":true}`, "stop")
			if r := s.host(tt.config...).Run(run, tt.input); r.Error != nil {
				t.Fatal(r.Error)
			}
			got, err := json.Marshal(s.asked)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want || s.path != "POST /v1/chat/completions" {
				t.Errorf("%s\ngot  %s\nwant %s", s.path, got, tt.want)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	s := newServer(t)
	s.body = completionOf("hi", "stop")
	for _, tt := range []struct {
		name   string
		config []string
		want   string
	}{
		{"none: the host may add one", nil, ""},
		{"api_key", []string{"api_key", "k"}, "Bearer k"},
		{"a granted secret", []string{"secret", "llm_key", "secret.llm_key", "s"}, "Bearer s"},
		{"a secret that was not granted", []string{"secret", "llm_key"}, ""},
	} {
		if r := s.host(append(tt.config, "host.idempotency_key", "id1")...).Run(run, "x"); r.Error != nil {
			t.Fatal(r.Error)
		}
		if s.auth != tt.want || s.key != "" {
			t.Errorf("%s: Authorization %q, want %q; Idempotency-Key %q", tt.name, s.auth, tt.want, s.key)
		}
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name, body, input, want string
		warning                 string
	}{
		{"text", completionOf("hi <b>", "stop"), "x",
			`{"text":"hi <b>","model":"m-2","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12},"finish_reason":"stop"}`, ""},
		{"JSON", completionOf(` {"a": 1} `, "stop"), `{"prompt":"x","json":true}`,
			`{"text":" {\"a\": 1} ","model":"m-2","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12},"finish_reason":"stop","json":{"a":1}}`, ""},
		{"JSON in a fence", completionOf("```json\n[1]\n```", "stop"), `{"prompt":"x","json":true}`,
			`{"text":"` + "```json\\n[1]\\n```" + `","model":"m-2","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12},"finish_reason":"stop","json":[1]}`, ""},
		{"a server that says little", `{"choices":[{"message":{"content":"hi"}}]}`, "x",
			`{"text":"hi","model":"m","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0},"finish_reason":""}`, ""},
		{"cut, and taken", completionOf("half", "length"), `{"prompt":"x","allow_truncated":true}`,
			`{"text":"half","model":"m-2","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12},"finish_reason":"length"}`, "truncated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.body = tt.body
			r := s.host().Run(run, tt.input)
			if r.Error != nil || string(r.Output) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", r.Output, r.Error, tt.want)
			}
			if (tt.warning != "") != (len(r.Warnings) == 1) || tt.warning != "" && r.Warnings[0].Code != tt.warning {
				t.Errorf("warnings: %v", r.Warnings)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	soon := time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
	tests := []struct {
		name        string
		status      int
		headers     map[string]string
		body        string
		input       string
		class, code string
		message     string
		min, max    time.Duration
	}{
		{"429", 429, map[string]string{"Retry-After": "3"}, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, "x",
			"transient", "too_many_requests", "answered 429: slow down", 3 * time.Second, 3 * time.Second},
		{"429 with a date", 429, map[string]string{"Retry-After": soon}, "", "x", "transient", "too_many_requests", "answered 429: (nothing)", 25 * time.Second, 30 * time.Second},
		{"429 in milliseconds", 429, map[string]string{"Retry-After-Ms": "120", "Retry-After": "1"}, "", "x", "transient", "too_many_requests", "", 120 * time.Millisecond, 120 * time.Millisecond},
		{"no quota", 429, map[string]string{"Retry-After": "3"}, `{"error":{"message":"pay","code":"insufficient_quota"}}`, "x", "permanent", "quota_exceeded", "pay", 0, 0},
		{"500", 500, nil, `oops`, "x", "transient", "unavailable", "answered 500: oops", 0, 0},
		{"502", 502, nil, `<html>`, "x", "transient", "unavailable", "answered 502: <html>", 0, 0},
		{"503", 503, map[string]string{"Retry-After": "9"}, `{"error":"loading"}`, "x", "transient", "unavailable", "answered 503: loading", 9 * time.Second, 9 * time.Second},
		{"529", 529, nil, `{"message":"overloaded"}`, "x", "transient", "unavailable", "overloaded", 0, 0},
		{"504", 504, nil, ``, "x", "transient", "server_timeout", "", 0, 0},
		{"408", 408, nil, ``, "x", "transient", "server_timeout", "", 0, 0},
		{"401", 401, nil, `{"error":{"message":"bad key","code":401}}`, "x", "permanent", "unauthorized", "bad key (is the key right", 0, 0},
		{"403", 403, nil, ``, "x", "permanent", "forbidden", "", 0, 0},
		{"404", 404, nil, `{"error":{"message":"no such model"}}`, "x", "permanent", "model_not_found", "no such model (are base_url and model right?)", 0, 0},
		{"400", 400, nil, `{"error":{"message":"bad"}}`, "x", "permanent", "bad_request", "answered 400: bad", 0, 0},
		{"422", 422, nil, ``, "x", "permanent", "bad_request", "", 0, 0},
		{"too long", 400, nil, `{"error":{"message":"too many tokens","code":"context_length_exceeded"}}`, "x", "permanent", "too_long", "too many tokens", 0, 0},
		{"413", 413, nil, ``, "x", "permanent", "too_long", "", 0, 0},
		{"418", 418, nil, ``, "x", "permanent", "unexpected_status", "answered 418", 0, 0},

		{"no JSON", 200, nil, `<html>hello`, "x", "transient", "invalid_answer", "a body that is no chat completion", 0, 0},
		{"cut body", 200, nil, `{"choices":[{"mess`, "x", "transient", "invalid_answer", "unexpected end of JSON input", 0, 0},
		{"an error with status 200", 200, nil, `{"error":{"message":"no"}}`, "x", "transient", "invalid_answer", "with an error in it", 0, 0},
		{"no choice", 200, nil, `{"choices":[]}`, "x", "transient", "empty_answer", "without a choice", 0, 0},
		{"no content", 200, nil, `{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}`, "x", "transient", "empty_answer", `m answered with nothing (finish_reason "stop")`, 0, 0},
		{"spaces", 200, nil, completionOf(" \n", "stop"), "x", "transient", "empty_answer", "", 0, 0},
		{"cut", 200, nil, completionOf("half", "length"), "x", "permanent", "truncated", "cut after 7 tokens", 0, 0},
		{"cut JSON is never taken", 200, nil, completionOf("{}", "length"), `{"prompt":"x","json":true,"allow_truncated":true}`, "permanent", "truncated", "", 0, 0},
		{"filtered", 200, nil, completionOf("", "content_filter"), "x", "permanent", "content_filtered", "", 0, 0},
		{"refused", 200, nil, `{"choices":[{"message":{"refusal":"I will not"}}]}`, "x", "permanent", "refused", "I will not", 0, 0},
		{"JSON that is none", 200, nil, completionOf("Sure! {", "stop"), `{"prompt":"x","json":true}`, "transient", "invalid_json", "JSON was asked for, and m-2 answered: Sure! {", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.status, s.headers, s.body = tt.status, tt.headers, tt.body
			e := s.host().Run(run, tt.input).Error
			if e == nil {
				t.Fatal("no failure")
			}
			if e.Class != tt.class || e.Code != tt.code || !strings.Contains(e.Message, tt.message) || e.RetryAfter < tt.min || e.RetryAfter > tt.max {
				t.Errorf("got %s %v after %v, want %s %s: …%s… after %v", e.Class, e, e.RetryAfter, tt.class, tt.code, tt.message, tt.max)
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	tests := []struct {
		name, input string
		config      []string
		want        string
	}{
		{"nothing", " ", nil, "bad_input: there is nothing to ask: give text, {prompt}, or {messages}"},
		{"null", "null", nil, "bad_input: the input is null, and there is nothing to ask: give the node a prompt with `with`"},
		{"a null prompt", `{"prompt":null}`, nil, "bad_input: there is nothing to ask"},
		{"an object of something else", `{"a":{},"b":{}}`, nil, `bad_input: the input has an unknown "a"; known are prompt, system, messages, model, temperature, max_tokens, json, allow_truncated`},
		{"a slip", `{"prompt":"x","temprature":1}`, nil, `bad_input: the input has an unknown "temprature"; known are`},
		{"tools", `{"prompt":"x","tools":[]}`, nil, `bad_input: the input has an unknown "tools"`},
		{"a wrong kind", `{"prompt":"x","temperature":"hot"}`, nil, `bad_input: the input's "temperature" is a string, not a number`},
		{"a role", `{"messages":[{"role":"tool","content":"x"}]}`, nil, `bad_input: messages[0] has the role "tool"; known are system, developer, user and assistant`},
		{"too few tokens", `{"prompt":"x","max_tokens":-1}`, nil, "bad_input: max_tokens is -1, not 1 or more"},
		{"no model", "x", []string{"model", ""}, "bad_config: no model is named: set `model` in the plugin's config or in the input"},
		{"temperature", "x", []string{"temperature", "hot"}, "bad_config: the setting `temperature` is \"hot\", no number"},
		{"max_tokens", "x", []string{"max_tokens", "0"}, "bad_config: the setting `max_tokens` is \"0\", no number of 1 or more"},
		{"json", "x", []string{"json", "maybe"}, "bad_config: the setting `json` is \"maybe\", neither true nor false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			e := s.host(tt.config...).Run(run, tt.input).Error
			if e == nil || e.Class != pluginsdk.ClassPermanent || !strings.HasPrefix(e.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", e, tt.want)
			}
			if s.path != "" {
				t.Error("the server was asked all the same")
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	s := newServer(t)
	host := s.host()
	s.Close()
	for _, export := range []func() int32{run, health} {
		if e := host.Run(export, "x").Error; e == nil || e.Class != "transient" || e.Code != "no_answer" {
			t.Errorf("no server: %v", e)
		}
	}
}

func TestHealth(t *testing.T) {
	s := newServer(t)
	s.body = `{"data":[{"id":"m"},{"id":"n"}]}`
	if got, want := string(s.host("api_key", "k").Run(health, nil).Output), `{"healthy":true,"model":"m","model_listed":true,"models":2,"status":200,"url":"`+s.URL+`/v1/models"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if s.path != "GET /v1/models" || s.auth != "Bearer k" {
		t.Errorf("asked %s with %q", s.path, s.auth)
	}
	s.body = "not a list"
	if e := s.host().Run(health, nil).Error; e == nil || e.Code != "invalid_answer" {
		t.Errorf("nonsense: %v", e)
	}
	s.status = 401
	if e := s.host().Run(health, nil).Error; e == nil || e.Code != "unauthorized" {
		t.Errorf("401: %v", e)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(completionOf("x", "stop")), true)
	f.Add([]byte(`{"choices":[{}]}`), false)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		a, err := read(question{Model: "m", JSON: asJSON}, &pluginsdk.Request{}, &pluginsdk.Response{Status: 200, Body: body})
		if err == nil && (strings.TrimSpace(a.Text) == "" || asJSON && !json.Valid(a.JSON)) {
			t.Errorf("%q is no answer: %+v", body, a)
		}
		serverError(body)
	})
}

// The export says what the build puts into the module's section.
func TestDescribe(t *testing.T) {
	var host pluginsdktest.Host
	want, err := description.JSON()
	if got := host.Run(describe, nil); err != nil || got.Error != nil || string(got.Output) != string(want) {
		t.Errorf("got %s, %v, want %s, %v", got.Output, got.Error, want, err)
	}
}
