// Command guest is a guest of the tests: it uses everything that the SDK has.
package main

import (
	"strconv"
	"strings"
	"time"

	"wasmhost/pluginsdk"
)

type in struct {
	Text string `json:"text"`
}

type seen struct {
	Config   string `json:"config"`
	Missing  bool   `json:"missing"`
	Secret   string `json:"secret"`
	RunID    string `json:"run_id"`
	Attempt  int    `json:"attempt"`
	Deadline bool   `json:"deadline"`
	Text     string `json:"text"`
}

//go:wasmexport look
func look() int32 {
	return pluginsdk.Run(func(c pluginsdk.Call, i in) (seen, error) {
		_, found := c.Config("missing")
		secret, _ := c.Secret("key")
		at, limited := c.Deadline()
		return seen{Config: c.ConfigOr("model", ""), Missing: !found, Secret: secret, RunID: c.RunID(),
			Attempt: c.Attempt(), Deadline: limited && time.Until(at) > 0 && time.Until(at) <= time.Minute, Text: i.Text}, nil
	})
}

//go:wasmexport echo
func echo() int32 {
	return pluginsdk.Run(func(_ pluginsdk.Call, b []byte) ([]byte, error) { return b, nil })
}

// count counts its own calls, in a variable.
//
//go:wasmexport count
func count() int32 {
	return pluginsdk.Run(func(c pluginsdk.Call, _ string) (int, error) {
		v, _ := c.Var("n")
		n, _ := strconv.Atoi(string(v))
		n++
		if n == 3 {
			c.SetVar("n", nil)
		} else {
			c.SetVar("n", []byte(strconv.Itoa(n)))
		}
		return n, nil
	})
}

//go:wasmexport log
func log() int32 {
	return pluginsdk.Run(func(c pluginsdk.Call, text string) (string, error) {
		c.Log(pluginsdk.LevelDebug, "debug "+text)
		c.Log(pluginsdk.LevelInfo, "info "+text)
		c.Log(pluginsdk.LevelWarn, "warn "+text)
		c.Log(pluginsdk.LevelError, "error "+text)
		return "", nil
	})
}

//go:wasmexport get
func get() int32 {
	return pluginsdk.Run(func(c pluginsdk.Call, url string) (string, error) {
		r, err := c.HTTP(&pluginsdk.Request{Method: "POST", URL: url, Headers: map[string]string{"X-A": "\"a\"", "X-B": "b"}, Body: []byte("body")})
		if err != nil {
			return "", err
		}
		if err := r.Err(time.Now()); err != nil {
			return "", err
		}
		return strings.Join([]string{strconv.Itoa(r.Status), r.Header("X-Answer"), string(r.Body)}, " "), nil
	})
}

//go:wasmexport fail
func fail() int32 {
	return pluginsdk.Run(func(_ pluginsdk.Call, how string) (string, error) {
		switch how {
		case "panic":
			var m map[string]int
			m["x"] = 1
		case "nil":
			var p *in
			return p.Text, nil
		case "wait":
			return "", pluginsdk.Transient("busy", "später").After(2 * time.Second)
		}
		return "", nil
	})
}

//go:wasmexport warn
func warn() int32 {
	return pluginsdk.Run(func(c pluginsdk.Call, _ string) (string, error) {
		c.Warn("part", "half")
		return "x", nil
	})
}

//go:wasmexport health
func health() int32 {
	return pluginsdk.Health(func(pluginsdk.Call) (map[string]any, error) { return map[string]any{"n": 1}, nil })
}

//go:wasmexport describe
func describe() int32 {
	return pluginsdk.Describe(pluginsdk.Description{Name: "guest",
		Functions: map[string]pluginsdk.Function{"look": pluginsdk.FunctionOf[in, seen]("looks")}})
}

// spin never ends by itself.
//
//go:wasmexport spin
func spin() int32 {
	for {
	}
}

func main() {}
