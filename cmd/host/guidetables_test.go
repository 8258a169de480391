package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tables of the guide on serving list what the server has, and host explain
// knows every code.
func TestTablesOfTheGuideOnServing(t *testing.T) {
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(repo(t), file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	guide := read("docs/guide/serve.md")
	first := func(directive string, word *regexp.Regexp) []string {
		_, table, found := strings.Cut(guide, "<!-- "+directive+" -->\n")
		if !found {
			t.Fatalf("the guide has no table %s", directive)
		}
		table, _, _ = strings.Cut(table, "\n\n")
		var all []string
		for row := range strings.Lines(table) {
			cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			for _, m := range word.FindAllStringSubmatch(cell, -1) {
				all = append(all, m[1])
			}
		}
		return all
	}

	// Only the paths are at two blanks, and only the methods at four.
	var served []string
	path := ""
	for _, m := range regexp.MustCompile(`(?m)^  (/[^:]*):|^    (get|put|post|delete):`).FindAllStringSubmatch(read("host/internal/server/openapi.yaml"), -1) {
		if m[1] != "" {
			path = m[1]
			continue
		}
		served = append(served, strings.ToUpper(m[2])+" "+path)
	}
	compare(t, "endpoints", first("endpoints", regexp.MustCompile("`([A-Z]+ [^`]+)`")), served)

	codes := first("server-codes", regexp.MustCompile("`([a-z_]+)`"))
	answers := read("host/internal/server/problem.go")
	for _, c := range codes {
		if _, ok := errorCodes[c]; !ok {
			t.Errorf("host explain does not know %s", c)
		}
		if c != "unreachable" && c != "bad_answer" && !strings.Contains(answers, `"`+c+`":`) {
			t.Errorf("the server does not answer with %s", c)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\t"([a-z_]+)": +\{\d+, `).FindAllStringSubmatch(answers, -1) {
		if _, ok := errorCodes[m[1]]; !ok {
			t.Errorf("host explain does not know %s, with which the server answers", m[1])
		}
	}
}

func compare(t *testing.T, what string, documented, real []string) {
	t.Helper()
	if len(real) == 0 {
		t.Errorf("no %s were found", what)
	}
	for _, r := range real {
		if !slices.Contains(documented, r) {
			t.Errorf("%s: %s is not in the guide", what, r)
		}
	}
	for _, d := range documented {
		if !slices.Contains(real, d) {
			t.Errorf("%s: %s is in the guide and does not exist", what, d)
		}
	}
}
