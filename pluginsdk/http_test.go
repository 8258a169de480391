package pluginsdk_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wasmhost/pluginsdk"
	"wasmhost/pluginsdk/nethttp"
	"wasmhost/pluginsdk/pluginsdktest"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name, value string
		want        time.Duration
	}{
		{"retry-after", "3", 3 * time.Second},
		{"retry-after", " 0.5 ", 500 * time.Millisecond},
		{"retry-after", "Mon, 23 Nov 2026 12:01:30 GMT", 90 * time.Second},
		{"retry-after", "Monday, 23-Nov-26 12:00:05 GMT", 5 * time.Second},
		{"retry-after", "Mon Nov 23 12:00:07 2026", 7 * time.Second},
		{"retry-after", "Mon, 23 Nov 2026 11:00:00 GMT", 0},
		{"retry-after", "-5", 0},
		{"retry-after", "soon", 0},
		{"retry-after", "1e300", 0},
		{"retry-after", "NaN", 0},
		{"retry-after", "", 0},
		{"retry-after-ms", "250", 250 * time.Millisecond},
		{"retry-after-ms", "Inf", 0},
	}
	for _, tt := range tests {
		r := &pluginsdk.Response{Headers: map[string]string{tt.name: tt.value}}
		if got := r.RetryAfter(now); got != tt.want {
			t.Errorf("%s: %q is %v, want %v", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestResponseErr(t *testing.T) {
	for status, class := range map[int]string{
		200: "", 204: "", 299: "", 301: "permanent", 400: "permanent", 404: "permanent", 501: "permanent",
		408: "transient", 425: "transient", 429: "transient", 500: "transient", 502: "transient", 503: "transient", 504: "transient",
	} {
		err := (&pluginsdk.Response{Status: status, Headers: map[string]string{"retry-after": "2"}}).Err(time.Now())
		var e *pluginsdk.Error
		if class == "" {
			if err != nil {
				t.Errorf("%d: %v", status, err)
			}
			continue
		}
		if !errors.As(err, &e) || e.Class != class || (e.RetryAfter > 0) != (class == "transient") {
			t.Errorf("%d: %#v, want %s", status, e, class)
		}
	}
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Many", "a")
		w.Header().Add("X-Many", "b")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, r.Method+" "+r.Header.Get("X-One")+" "+string(body))
	}))
	defer server.Close()
	var host pluginsdktest.Host
	got, err := host.Call().HTTP(&pluginsdk.Request{Method: "PUT", URL: server.URL, Headers: map[string]string{"X-One": "1"}, Body: []byte("hi")})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 418 || string(got.Body) != "PUT 1 hi" || got.Header("X-Many") != "a,b" {
		t.Errorf("%+v", got)
	}
	if len(host.Requests) != 1 || host.Requests[0].Method != "PUT" {
		t.Errorf("requests kept: %v", host.Requests)
	}

	// The same through net/http.
	answer, err := nethttp.Client(host.Call()).Post(server.URL, "text/plain", strings.NewReader("yo"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || answer.StatusCode != 418 || string(body) != "POST  yo" || answer.Header.Get("x-many") != "a,b" {
		t.Errorf("through net/http: %v %q %v", answer.Status, body, err)
	}

	server.Close()
	_, err = host.Call().HTTP(&pluginsdk.Request{URL: server.URL})
	var e *pluginsdk.Error
	if !errors.As(err, &e) || e.Class != "transient" || e.Code != "no_answer" {
		t.Errorf("no server: %v", err)
	}
	if _, err := nethttp.Client(host.Call()).Get(server.URL); !errors.As(err, &e) {
		t.Errorf("no server, through net/http: %v", err)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"1", "Mon, 23 Nov 2026 12:01:30 GMT", "1e9", "-1", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := &pluginsdk.Response{Headers: map[string]string{"retry-after": value, "retry-after-ms": value}}
		if got := r.RetryAfter(time.Unix(0, 0)); got < 0 {
			t.Errorf("%q is a wait of %v", value, got)
		}
	})
}
