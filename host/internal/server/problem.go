package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"wasmhost/host/event"
)

// Problem is an error as it is answered: RFC 9457 problem details, with the code
// and class that errors have everywhere, and what to do next.
type Problem struct {
	Type   string `json:"type"` // urn:host:error:CODE
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Instance names the request in the server's log.
	Instance string `json:"instance,omitempty"`
	Code     string `json:"code"`
	Class    string `json:"class"`
	Next     string `json:"next"`
	// RetryAfterMS is when to come again, where that is known.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
	// Report is what a swap came to that was refused.
	Report *event.SwapReport `json:"report,omitempty"`

	allow string // methods, of a 405
}

// answers are the status of an error code, and what to do about it.
var answers = map[string]struct {
	status int
	next   string
}{
	"bad_request":        {400, "mend the request; /openapi.yaml says what it may hold"},
	"bad_id":             {400, "an id has 1 to 128 of the characters A-Z a-z 0-9 . _ -"},
	"bad_path":           {400, "use a path of /openapi.yaml, with nothing in it to be decoded twice"},
	"bad_run_id":         {400, "choose a run id of 1 to 128 of the characters A-Z a-z 0-9 . _ -, and not dots alone"},
	"unauthorized":       {401, "send Authorization: Bearer TOKEN (host tokens add makes one), or to a webhook what its [webhook] auth asks for"},
	"forbidden":          {403, "use a token with the scope that this needs: host tokens add NAME --scope SCOPE"},
	"cross_origin":       {403, "open the server's own page, or send the request without a browser"},
	"not_found":          {404, "check the name; the list one level up has those that there are"},
	"method_not_allowed": {405, "use a method that the Allow header names"},
	"slow_request":       {408, "send the whole request at once"},
	"ambiguous":          {409, "give more of the id, or WORKFLOW.NAME; name the node where several wait"},
	"run_conflict":       {409, "choose another run id, or look at the run that has it"},
	"run_alive":          {409, "follow the run, or cancel it first"},
	"run_ended":          {409, "look at how the run ended"},
	"run_succeeded":      {409, "name the node to run again with from"},
	"run_interrupted":    {409, "resume the run first"},
	"not_waiting":        {409, "ask why: it says what the run waits for"},
	"workflow_changed":   {409, "put the file back, or retry the run with the new one"},
	"invalid_workflow":   {409, "validate the workflow's file and mend it"},
	"pinned":             {409, "the workflow file pins the module by sha256: change it there, or swap with unpin=true"},
	"busy":               {409, "wait until the swap that is under way has ended"},
	"no_version":         {409, "look at the plugin's versions"},
	"token_exists":       {409, "remove the token of that name, or choose another one"},
	"no_tokens":          {409, "the server runs without authentication; tokens mean nothing there"},
	"body_too_large":     {413, "send less; /openapi.yaml has the limits"},
	"bad_media_type":     {415, "send JSON as application/json, a module as application/wasm"},
	"bad_host":           {421, "address the server by localhost or by the address it listens on, or add the name to those that it answers to"},
	"invalid_input":      {422, "mend the input, or the schema"},
	"unknown_node":       {422, "look at the run's nodes; one inside a sub-workflow is named by its path"},
	"swap_refused":       {422, "the report says which step failed; the old version goes on"},
	"too_many_failures":  {429, "wait, and check the token"},
	"too_many_streams":   {429, "close a stream, or wait"},
	"headers_too_large":  {431, "send fewer and shorter headers"},
	"host_failure":       {500, "look into the server's log for this request"},
	"missing_secret":     {500, "give the server the secret that the workflow names"},
	"bad_setting":        {500, "set the variable that the workflow names where the server runs"},
	"unsupported":        {501, "leave that part away"},
	"bad_command":        {502, "use the version of host that works on the run"},
	"stopping":           {503, "ask again when the server has started again"},
	"busy_server":        {503, "come again in a moment"},
	"bad_tokens":         {503, "mend or delete tokens.json or admin.token in the server's state folder, as the detail says"},
	"journal":            {503, "host doctor looks at the server's state folder"},
	"no_journal":         {503, "start the server with a state folder"},
	"closed":             {503, "ask again when the server has started again"},
	"cancelled":          {503, "ask again"},
	"no_answer":          {504, "it stands: ask for the run later"},
	"deadline":           {504, "ask again; the change may have been made"},
}

// ProblemOf is an error as it is answered.
func ProblemOf(err error) *Problem {
	var e *event.Error
	if !errors.As(err, &e) {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			e = &event.Error{Class: event.Transient, Code: "deadline", Message: "the answer took too long"}
		case errors.Is(err, context.Canceled):
			e = &event.Error{Class: event.Transient, Code: "cancelled", Message: "the request was given up"}
		default:
			// What is not meant for callers may hold what they should not see.
			e = &event.Error{Class: event.System, Code: "host_failure", Message: "the server failed; its log has what happened"}
		}
	}
	p := &Problem{Type: "urn:host:error:" + e.Code, Status: 422, Detail: e.Message, Code: e.Code, Class: e.Class, Next: "host explain " + e.Code, RetryAfterMS: e.RetryAfterMS}
	if e.Code == "" {
		p.Type, p.Code = "about:blank", "unknown"
	}
	if a, ok := answers[e.Code]; ok {
		p.Status, p.Next = a.status, a.next
	}
	if p.Class == "" {
		p.Class = event.Unknown
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// text is the problem as JSON.
func (p *Problem) text() []byte {
	text, err := json.Marshal(p)
	if err != nil { // a report that is no JSON
		text = []byte(`{"status":500,"code":"host_failure"}`)
	}
	return append(text, '\n')
}

// write answers with the problem.
func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	p.headers(h)
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.text())
}
