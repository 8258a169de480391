package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wasmhost/pluginsdk/pluginsdktest"
)

// newServer answers with what was asked, or as its path says.
func newServer(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "today")
		switch r.URL.Path {
		case "/json":
			w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
			io.WriteString(w, `{"n": 1.10}`)
		case "/lies":
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"n":`)
		case "/bytes":
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{0xff, 0xfe})
		case "/busy":
			w.Header().Set("Retry-After", "4")
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "later")
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/created":
			w.WriteHeader(http.StatusCreated)
		default:
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, r.Method+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("X-A")+" "+string(body))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestSend(t *testing.T) {
	s := newServer(t)
	tests := []struct {
		name   string
		config map[string]string
		input  string // URL stands for the server's
		want   string
	}{
		{"text is the URL", nil, "URL/", `"body":"GET   "`},
		{"settings alone", map[string]string{"url": s.URL, "method": "delete"}, "", `"body":"DELETE   "`},
		{"null is nothing", map[string]string{"url": s.URL}, "null", `"body":"GET   "`},
		{"a body is posted", nil, `{"url":"URL","body":"hi","headers":{"x-a":"1"}}`, `"body":"POST  1 hi"`},
		{"JSON is posted as JSON", nil, `{"url":"URL","json":{"a":1.10}}`, `"body":"POST application/json  {\"a\":1.10}"`},
		{"with another type", nil, `{"url":"URL","json":1,"headers":{"content-type":"application/x"}}`, `"body":"POST application/x  1"`},
		{"a method", nil, `{"url":"URL","method":"patch","body":""}`, `"body":"PATCH   "`},
		{"JSON comes back as JSON", nil, "URL/json", `"status":200,"headers":{"content-length":"11","content-type":"application/problem+json; charset=utf-8","date":"today"},"json":{"n":1.10}}`},
		{"what only says so does not", nil, "URL/lies", `"body":"{\"n\":"`},
		{"bytes", nil, "URL/bytes", `"body_base64":"//4="`},
		{"no body", nil, "URL/created", `"status":201,"headers":{"content-length":"0","date":"today"},"body":""}`},
		{"an expected status", nil, `{"url":"URL/gone","expect":410}`, `"status":410`},
		{"a group", nil, `{"url":"URL/gone","expect":[200,"4xx"]}`, `"status":410`},
		{"in the settings", map[string]string{"expect": "200, 4xx"}, "URL/gone", `"status":410`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := pluginsdktest.Host{Config: tt.config}
			r := host.Run(run, strings.ReplaceAll(tt.input, "URL", s.URL))
			if r.Error != nil || !strings.Contains(string(r.Output), tt.want) {
				t.Errorf("got %s, %v, want %s", r.Output, r.Error, tt.want)
			}
		})
	}
}

func TestSendFails(t *testing.T) {
	s := newServer(t)
	tests := []struct {
		name   string
		config map[string]string
		input  string
		class  string
		want   string
		wait   time.Duration
	}{
		{"503", nil, "URL/busy", "transient", "503: GET URL/busy answered 503, expected 2xx: later", 4 * time.Second},
		{"410", nil, "URL/gone", "permanent", "410: GET URL/gone answered 410, expected 2xx: (no body)", 0},
		{"200 may be wrong", nil, `{"url":"URL/","expect":[201,"3xx"]}`, "permanent", "200: GET URL/ answered 200, expected 201 or 3xx: GET", 0},
		{"null", nil, "null", "permanent", "bad_input: there is no URL: give text, {url}, or set `url` in the plugin's config", 0},
		{"no URL", nil, "{}", "permanent", "bad_input: there is no URL: give text, {url}, or set `url` in the plugin's config", 0},
		{"another scheme", nil, "file:///etc/passwd", "permanent", `bad_input: the URL "file:///etc/passwd" does not begin with http:// or https://`, 0},
		{"two bodies", nil, `{"url":"URL","body":"x","json":1}`, "permanent", "bad_input: the input has both body and json: give one", 0},
		{"a slip", nil, `{"uri":"URL"}`, "permanent", `bad_input: the input has an unknown "uri"; known are method, url, headers, body, json, expect`, 0},
		{"no status", nil, `{"url":"URL","expect":"6xx"}`, "permanent", `bad_input: the input: expect: "6xx" is neither a status from 100 to 599 nor a group such as 2xx`, 0},
		{"a setting", map[string]string{"expect": "ok"}, "URL", "permanent", "bad_config: the setting expect: \"ok\" is neither a status from 100 to 599 nor a group such as 2xx", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := pluginsdktest.Host{Config: tt.config}
			e := host.Run(run, strings.ReplaceAll(tt.input, "URL", s.URL)).Error
			if want := strings.ReplaceAll(tt.want, "URL ", s.URL+" "); e == nil || e.Class != tt.class || e.RetryAfter != tt.wait ||
				!strings.HasPrefix(strings.ReplaceAll(e.Error(), s.URL, "URL"), strings.ReplaceAll(want, s.URL, "URL")) {
				t.Errorf("got %v after %v, want %s %s", e, e.RetryAfter, tt.class, want)
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	s := newServer(t)
	s.Close()
	var host pluginsdktest.Host
	if e := host.Run(run, s.URL).Error; e == nil || e.Class != "transient" || e.Code != "no_answer" {
		t.Errorf("%v", e)
	}
}

func TestHealth(t *testing.T) {
	s := newServer(t)
	tests := []struct {
		name      string
		config    map[string]string
		want, err string
	}{
		{"url", map[string]string{"url": s.URL}, `{"healthy":true,"status":200,"url":"URL"}`, ""},
		{"health_url", map[string]string{"url": s.URL + "/gone", "health_url": s.URL + "/json"}, `{"healthy":true,"status":200,"url":"URL/json"}`, ""},
		{"by the name of the check", map[string]string{"health_url": s.URL + "/gone", "health_url.db": s.URL, "host.node": "db"}, `{"healthy":true,"status":200,"url":"URL"}`, ""},
		{"an expected status", map[string]string{"url": s.URL + "/gone", "expect": "410"}, `{"healthy":true,"status":410,"url":"URL/gone"}`, ""},
		{"unhealthy", map[string]string{"url": s.URL + "/busy"}, "", "503: "},
		{"no URL", nil, "", "bad_config: there is no URL to check: set `health_url` or `url` in the plugin's config"},
		{"a bad setting", map[string]string{"url": s.URL, "expect": "x"}, "", "bad_config: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := pluginsdktest.Host{Config: tt.config}
			r := host.Run(health, nil)
			if tt.err != "" {
				if r.Error == nil || !strings.HasPrefix(r.Error.Error(), tt.err) {
					t.Errorf("got %v, want %s", r.Error, tt.err)
				}
				return
			}
			if got := strings.ReplaceAll(string(r.Output), s.URL, "URL"); got != tt.want {
				t.Errorf("got %s, %v, want %s", got, r.Error, tt.want)
			}
		})
	}
}

// The export says what the build puts into the module's section.
func TestDescribe(t *testing.T) {
	var host pluginsdktest.Host
	want, err := description.JSON()
	if got := host.Run(describe, nil); err != nil || got.Error != nil || string(got.Output) != string(want) {
		t.Errorf("got %s, %v, want %s, %v", got.Output, got.Error, want, err)
	}
}
