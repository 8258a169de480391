package plugin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSecretsAreMasked(t *testing.T) {
	const value = "hunter2-hunter2"
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Secrets: []Secret{{Name: "db", Value: value}}})
	// The guest may read it, and what it does with it does not show.
	succeeds(t, p, "config", "secret.db", masked)
	succeeds(t, p, "echo", "a "+value+" b "+value, "a *** b ***")
	if e := fails(t, p, Call{Function: "fail", Input: []byte("denied for " + value)}); e.Message != "denied for ***" {
		t.Error(e)
	}
	if e := fails(t, p, Call{Function: "fail", Input: []byte(`{"message":"m ` + value + `","code":"c-` + value + `"}`)}); e.Message != "m ***" || e.Code != "c-***" {
		t.Error(e)
	}
	a := succeeds(t, p, "warn", `{"class":"warning","message":"m `+value+`"}`, "partial")
	if a.Warnings[0].Message != "m ***" {
		t.Error(a.Warnings[0])
	}
	var got lines
	if _, err := p.Call(t.Context(), Call{Function: "log", Input: []byte("key=" + value), Log: got.log}); err != nil || got[1] != "info key=***" {
		t.Error(got, err)
	}
	s := guest("command")
	s.Args, s.Secrets = []string{"cat"}, []Secret{{Name: "db", Value: value}}
	succeeds(t, load(t, s), "run", "x"+value, "x***")
}

func TestShortSecretIsRefused(t *testing.T) {
	refusedAs(t, Spec{Source: "probe.wasm", Dir: guests, Secrets: []Secret{{Name: "pin", Value: "1234567"}}}, codeBadSecret,
		`secret "pin" has 7 bytes; values shorter than 8 bytes`)
	refusedAs(t, Spec{Source: "probe.wasm", Dir: guests, Secrets: []Secret{{Name: "k", Value: "line\nline\n", Header: "X-Key"}}}, codeBadSecret, "has a line end in it")
	// A message about something else does not show the value.
	e := refusedAs(t, Spec{Source: "s3cret-s3cret.wasm", Dir: guests, Secrets: []Secret{{Name: "k", Value: "s3cret-s3cret"}}}, codeNotFound)
	if strings.Contains(e.Message, "s3cret") {
		t.Error(e.Message)
	}
}

// TestHeaderSecret: the host puts it into requests to the right origins, and
// the guest sees it nowhere, not even where the server sends it back.
func TestHeaderSecret(t *testing.T) {
	const value = "sesame-open"
	a, b := twoServers(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		fmt.Fprintf(w, "got %q", r.Header.Get("Authorization"))
	})
	p := asker(t, func(s *Spec) {
		s.Secrets = []Secret{{Name: "key", Value: value, Header: "authorization", Prefix: "Bearer ", To: []string{a.URL}}}
	}, a.URL, b.URL)
	succeeds(t, p, "config", "secret.key", "")
	_, headers, body, err := ask(t, p, a.URL, "Authorization:forged")
	if err != nil || body != `got "Bearer ***"` || !strings.Contains(headers, `"x-echo":"Bearer ***"`) {
		t.Error(headers, body, err)
	}
	if _, _, body, err = ask(t, p, b.URL); err != nil || body != `got ""` {
		t.Error(body, err)
	}
	// Masked before the guest has it: what it returns is no longer than what it
	// was given.
	if _, _, body, _ := ask(t, p, a.URL); strings.Contains(body, value) {
		t.Error(body)
	}
}

// TestSecretsHiddenByControls: what is taken out of a log line does not bring a
// secret together.
func TestSecretsHiddenByControls(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Secrets: []Secret{{Name: "db", Value: "hunter2-hunter2"}}})
	var got lines
	if _, err := p.Call(t.Context(), Call{Function: "log", Input: []byte("key=hunter2\x07-hunter2"), Log: got.log}); err != nil || got[1] != "info key=***" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSecretsInJSON: a value that JSON writes otherwise is still the value.
func TestSecretsInJSON(t *testing.T) {
	for _, value := range []string{"-----BEGIN KEY-----\nMIIEvQ\n-----END KEY-----", `quo"ted\\secret`, "tab\tand\rmore", "a<b>&c<d>", "https://u:p/w", "\"quoted\""} {
		p := load(t, Spec{Source: "probe.wasm", Dir: guests, Secrets: []Secret{{Name: "db", Value: value}}})
		plain, _ := json.Marshal(map[string]string{"key": value})
		var bare strings.Builder
		e := json.NewEncoder(&bare)
		e.SetEscapeHTML(false)
		_ = e.Encode(map[string]string{"key": value})
		for _, text := range []string{string(plain), bare.String(), strings.ReplaceAll(bare.String(), "/", `\/`), "x" + value} {
			got, err := p.Call(t.Context(), Call{Function: "echo", Input: []byte(text)})
			if err != nil || !strings.Contains(string(got.Output), "***") {
				t.Errorf("%q comes out as %q, %v", text, got.Output, err)
			}
		}
	}
}

// TestSecretsAtTheCut: an error text that is cut does not end within a secret.
func TestSecretsAtTheCut(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Secrets: []Secret{{Name: "db", Value: "hunter2-hunter2"}}})
	text := strings.Repeat("x", maxErrorText-8) + "hunter2-hunter2"
	_, err := p.Call(t.Context(), Call{Function: "fail", Input: []byte(text)})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%.30q … %q", err, err.Error()[max(0, len(err.Error())-40):])
	}
}

// TestMasks: whatever lies around them, values do not come through.
func TestMasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.StringMatching(`[a-z]{8,12}`), 1, 4).Draw(t, "values")
		var secrets []Secret
		for _, v := range values {
			secrets = append(secrets, Secret{Value: v})
		}
		m := newMasks(secrets)
		text := ""
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			text += rapid.SampledFrom(append(values, "x", " ", "{\"a\":", "é")).Draw(t, "part")
		}
		for _, got := range []string{m.text(text), string(m.bytes([]byte(text)))} {
			for _, v := range values {
				if strings.Contains(got, v) {
					t.Fatalf("%q in %q masks to %q", v, text, got)
				}
			}
		}
	})
}

func FuzzGuestErrors(f *testing.F) {
	for _, s := range []string{"text", `{"message":"m","class":"warning","code":3.5,"retry_after_ms":1e300}`, `[{"message":""}]`, "", "\xff\x00", `{"message":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list := guestErrors(text)
		if len(list) == 0 {
			t.Fatal("no error at all")
		}
		for _, e := range list {
			if e.Message == "" || e.RetryAfterMS < 0 || reserved[e.Code] || len(e.Message) > maxErrorText+20 {
				t.Fatalf("%+v", e)
			}
			if _, err := json.Marshal(e); err != nil {
				t.Fatal(err)
			}
		}
	})
}
