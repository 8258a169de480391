package main

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wasmhost/pluginsdk/pluginsdktest"
)

func TestTransform(t *testing.T) {
	tests := []struct{ name, setting, input, want string }{
		{"from the input", "", `{"expression":"data.a + 1","data":{"a":2}}`, "3"},
		{"from the config", "{n: len(data), first: data[0].name}", `[{"name":"x"},{"name":"y"}]`, `{"first":"x","n":2}`},
		{"text", "upper(data)", "plain text", `"PLAIN TEXT"`},
		{"a number is JSON", "data * 2", "21", "42"},
		{"no data", "", `{"expression":"1 + 1"}`, "2"},
		{"null data", "data == nil", "null", "true"},
		{"a text that looks like a number", "string(data)", "123", `"123"`},
		{"nil tolerated", `data?.a?.b ?? "none"`, "{}", `"none"`},
		{"filter and map", `map(filter(data, .ok), {{id: .id}})`, `[{"ok":true,"id":1},{"ok":false,"id":2}]`, `[{"id":1}]`},
		{"whole numbers stay whole", "data", `[9007199254740993,-0,1.5,1e3]`, `[9007199254740993,-0,1.5,1000]`},
		{"large numbers keep their digits", "data", `123456789012345678901234567890`, `123456789012345678901234567890`},
		{"beyond a float", "data", `1e400`, `1e400`},
		{"division", "data / 2", "3", "1.5"},
		{"no HTML", "data", `{"a":"<&>"}`, `{"a":"<&>"}`},
		{"several lines", "let a = data.x;\na + a", `{"x":4}`, "8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := pluginsdktest.Host{Config: map[string]string{"expression": tt.setting}}
			if r := host.Run(run, tt.input); r.Error != nil || string(r.Output) != tt.want {
				t.Errorf("got %s, %v, want %s", r.Output, r.Error, tt.want)
			}
		})
	}
}

func TestTransformFails(t *testing.T) {
	tests := []struct{ name, setting, input, code, message string }{
		{"no expression", "", `{"data":1}`, "bad_input", "there is no expression: set `expression` in the plugin's config, or give {expression, data} as input"},
		{"not an object", "", `text`, "bad_input", "there is no expression: set `expression` in the plugin's config, or give {expression, data} as input"},
		{"syntax", "data +", "1", "expression", `expression "data +" at 1:6: it ends where something should follow`},
		{"not here", "data ) 1", "1", "expression", `at 1:6: ")" does not belong here`},
		{"unknown name", "1 + dta", "1", "expression", `expression "1 + dta" at 1:5: there is no dta: an expression sees data`},
		{"second line", "data +\n  nope", "1", "expression", `at 2:3: there is no nope`},
		{"unknown function", "now()", "1", "expression", `at 1:1: there is no now`},
		{"at run time", `data.a.b`, "{}", "expression", `expression "data.a.b" at 1:8: b cannot be read, because what stands before it is null: ?. in place of . tolerates that`},
		{"a key of a text", `data.deep`, `"x"`, "expression", `at 1:6: a list and a text have their elements by number, from 0, and not by a text`},
		{"past the end", `data[5]`, `[1]`, "expression", `there is no element 5: the list has 1, counted from 0`},
		{"wrong kinds", `data + 1`, `"x"`, "expression", `at 1:6: + does not work between a text and a number`},
		{"lists", `data * data`, `[]`, "expression", `* does not work between a list and a list`},
		{"objects", `data < 1`, `{}`, "expression", `< does not work between an object and a number`},
		{"found while reading", `"x" + 1`, `1`, "expression", `+ does not work between a text and a number`},
		{"minus", `-data`, `"x"`, "expression", `- needs a number and was given a text`},
		{"large numbers", `data + 1`, `123456789012345678901234567890`, "expression", `+ does not work between a number of more than 64 bits and a number`},
		{"int of words", `int(data)`, `"seven"`, "expression", `int() makes a number of a number or of a text of digits, and was given "seven"`},
		{"int of an object", `int(data)`, `{}`, "expression", `and was given an object`},
		{"int of null", `int(data)`, `null`, "expression", `it does not work with null`},
		{"len", `len(data)`, `7`, "expression", `len() does not take a number`},
		{"two for len", `len(data, 1)`, `[]`, "expression", `it takes 1 in its parentheses, and there are 2`},
		{"in", `1 in data`, `7`, "expression", `in looks into a list or an object, and was given a number`},
		{"a condition", `data ? 1 : 2`, `7`, "expression", ``},
		{"a filter", `filter(data, .x)`, `7`, "expression", `it needs a list and was given a number`},
		{"a filter of no booleans", `filter(data, # + 1)`, `[7]`, "expression", ``},
		{"upper", `upper(data)`, `7`, "expression", `it needs a text and was given a number`},
		{"sum", `sum(data)`, `["x"]`, "expression", ``},
		{"fromJSON", `fromJSON(data)`, `"{"`, "expression", ``},
		{"keys", `keys(data)`, `7`, "expression", `keys() needs an object and was given a number`},
		{"reverse", `reverse(data)`, `7`, "expression", `it needs a list and was given a number`},
		{"a slice", `data[1:2]`, `{}`, "expression", ``},
		{"join", `join(data, ",")`, `[1]`, "expression", ``},
		{"sort", `sort(data)`, `[1,"x"]`, "expression", ``},
		{"split", `split(data, ",")`, `{}`, "expression", ``},
		{"compare", `data > "x"`, `1`, "expression", `> does not work between a number and a text`},
		{"call", `data()`, `1`, "expression", ``},
		{"no JSON", `data / 0`, "1", "expression", "its value cannot be written as JSON: it holds the number +Inf, as a division by zero gives it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := pluginsdktest.Host{Config: map[string]string{"expression": tt.setting}}
			e := host.Run(run, tt.input).Error
			if e == nil || e.Class != "permanent" || e.Code != tt.code || !strings.Contains(e.Message, tt.message) {
				t.Errorf("got %v, want %s: %s", e, tt.code, tt.message)
			} else if goes := regexp.MustCompile(`interface|<nil>|invalid|reflect|runtime|panic|\n|\^|\bjson\.|float64`).FindString(e.Message); goes != "" {
				t.Errorf("%q is in words of the library: %s", goes, e.Message)
			}
		})
	}
}

// An expression that is the data gives back what it was given.
func TestIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		s := rapid.String().Draw(t, "s")
		var host pluginsdktest.Host
		in := map[string]any{"expression": "[data.n, data.s, data.n == data.n]", "data": map[string]any{"n": n, "s": s}}
		var out []any
		r := host.Run(run, in)
		if err := r.JSON(&out); err != nil || out[1] != s || out[2] != true {
			t.Fatalf("%s, %v", r.Output, err)
		}
	})
}

func FuzzTransform(f *testing.F) {
	f.Add("data.a + 1", `{"a":1}`)
	f.Add("map(data, # * 2)", `[1]`)
	f.Add("[", "")
	f.Fuzz(func(t *testing.T, expression, data string) {
		if strings.Contains(expression, "..") {
			t.Skip("ranges may be large; a host ends them")
		}
		host := pluginsdktest.Host{Config: map[string]string{"expression": expression}}
		if e := host.Run(run, data).Error; e != nil && e.Code == "panic" {
			t.Errorf("%q of %q: %v", expression, data, e)
		}
	})
}

func TestHealth(t *testing.T) {
	for setting, want := range map[string]string{
		"":       `{"expression":"from input","healthy":true}`,
		"data.a": `{"expression":"from config","healthy":true}`,
	} {
		host := pluginsdktest.Host{Config: map[string]string{"expression": setting}}
		if got := string(host.Run(health, nil).Output); got != want {
			t.Error(got)
		}
	}
	host := pluginsdktest.Host{Config: map[string]string{"expression": "("}}
	if e := host.Run(health, nil).Error; e == nil || e.Code != "expression" {
		t.Errorf("a bad expression is healthy: %v", e)
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
