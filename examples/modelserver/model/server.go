// Package model is a small OpenAI-compatible server that answers, and fails, as
// it is told. It is what the examples are tested against, and what they can be
// tried with where no real model is at hand. It understands nothing: an answer
// is made of the question's own words.
package model

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault says how a request is answered. The zero Fault answers properly.
type Fault struct {
	// Status, when not 0, is answered with an error body of the API's shape.
	Status int
	// RetryAfter is sent as a header, in seconds or as an HTTP date.
	RetryAfter string
	// Delay is waited before anything is sent; it ends when the client leaves.
	Delay time.Duration
	// Hold, when not nil, is waited for before anything is sent: until it is
	// closed, or the client leaves.
	Hold <-chan struct{}
	// Body, when not empty, is sent instead of an answer: wrong on purpose.
	Body string
	// Drop closes the connection without an answer.
	Drop bool
	// Answer is the text of the answer; "" makes one of the prompt.
	Answer string
	// Times is how many requests the fault is for; 0: all that follow.
	Times int
}

// Call is a request that was served.
type Call struct {
	At             time.Time
	Path           string
	Model          string
	Prompt         string
	Authorization  string
	IdempotencyKey string
	Status         int // 0: the connection was dropped, or the answer is under way
}

// Server is an http.Handler. It is safe for concurrent use. The zero Server
// answers everything properly.
type Server struct {
	// Key, when not empty, must come as a bearer token.
	Key string

	mu     sync.Mutex
	plans  map[string][]Fault // by model, "" for all, "health" for GET /models
	calls  []Call
	flight int
	most   int
}

// Plan sets what happens to the requests for a model, in order; "" is for all
// models without a plan of their own, and "health" for GET /models. When the
// list is used up, requests are answered properly.
func (s *Server) Plan(model string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plans == nil {
		s.plans = map[string][]Fault{}
	}
	s.plans[model] = faults
}

// Calls are the requests served so far, those for models apart from health.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Forget empties Calls.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.most = nil, 0
}

// MostAtOnce is the largest number of requests that were open side by side.
func (s *Server) MostAtOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

func (s *Server) next(model string) Fault {
	plan, ok := s.plans[model]
	if !ok && model != "health" {
		model, plan = "", s.plans[""]
	}
	if len(plan) == 0 {
		return Fault{}
	}
	f := plan[0]
	switch {
	case plan[0].Times == 1:
		s.plans[model] = plan[1:]
	case plan[0].Times > 1:
		plan[0].Times--
	}
	return f
}

// ServeHTTP serves POST /v1/chat/completions and GET /v1/models.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Model    string `json:"model"`
		Messages []struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		} `json:"messages"`
		ResponseFormat struct {
			Type string `json:"type"`
		} `json:"response_format"`
	}
	health := strings.HasSuffix(r.URL.Path, "/models")
	if !health {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/chat/completions") {
			refuse(w, http.StatusNotFound, "no such path: "+r.URL.Path, "not_found")
			return
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&ask); err != nil {
			refuse(w, http.StatusBadRequest, err.Error(), "invalid_request_error")
			return
		}
	}
	call := Call{At: time.Now(), Path: r.URL.Path, Model: ask.Model, Authorization: r.Header.Get("Authorization"),
		IdempotencyKey: r.Header.Get("Idempotency-Key")}
	var system string
	for _, m := range ask.Messages {
		if m.Role == "system" {
			system = m.Content
		} else {
			call.Prompt = m.Content
		}
	}

	key := ask.Model
	if health {
		key = "health"
	}
	s.mu.Lock()
	f := s.next(key)
	s.flight++
	s.most = max(s.most, s.flight)
	at := -1
	if !health { // counted before it is answered: who has the answer finds the call
		at = len(s.calls)
		s.calls = append(s.calls, call)
	}
	s.mu.Unlock()
	status := 0
	defer func() { // also when the connection is dropped
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight--
		if at >= 0 && at < len(s.calls) {
			s.calls[at].Status = status
		}
	}()
	status = s.answer(w, r, f, &call, system, ask.ResponseFormat.Type == "json_object", health)
}

// answer writes the answer and returns its status.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, f Fault, call *Call, system string, wantJSON, health bool) int {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return 499
		}
	}
	if f.Hold != nil {
		select {
		case <-f.Hold:
		case <-r.Context().Done():
			return 499
		}
	}
	switch {
	case s.Key != "" && call.Authorization != "Bearer "+s.Key:
		return refuse(w, http.StatusUnauthorized, "Incorrect API key provided", "invalid_api_key")
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.RetryAfter != "":
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch {
	case f.Status != 0:
		return refuse(w, f.Status, http.StatusText(f.Status), fmt.Sprint(f.Status))
	case f.Body != "":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(f.Body))
		return http.StatusOK
	case health:
		write(w, http.StatusOK, map[string]any{"object": "list", "data": []any{map[string]any{"id": "local", "object": "model"}}})
		return http.StatusOK
	}
	text := f.Answer
	if text == "" {
		text = compose(system, call.Prompt, wantJSON)
	}
	in, out := len(strings.Fields(system+" "+call.Prompt)), len(strings.Fields(text))
	write(w, http.StatusOK, map[string]any{
		"id": "chatcmpl-local", "object": "chat.completion", "created": time.Now().Unix(), "model": call.Model,
		"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": text}}},
		"usage":   map[string]any{"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out},
	})
	return http.StatusOK
}

// compose makes an answer of the prompt: its first words, or an object that
// says it is valid.
func compose(system, prompt string, wantJSON bool) string {
	words := strings.Fields(prompt)
	text := strings.Join(words[:min(len(words), 12)], " ")
	if !wantJSON {
		return text
	}
	b, err := json.Marshal(map[string]any{"valid": len(words) > 0, "text": text, "issues": []string{}})
	if err != nil {
		panic(err) // strings can be written
	}
	return string(b)
}

func refuse(w http.ResponseWriter, status int, message, code string) int {
	write(w, status, map[string]any{"error": map[string]any{"message": message, "type": "error", "code": code}})
	return status
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
