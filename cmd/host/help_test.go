package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// Every page of the help fits into its columns, and breaks no example.
func TestHelpFits(t *testing.T) {
	pages := []string{""}
	for _, c := range (&app{}).commands() {
		pages = append(pages, c.Name)
	}
	for _, g := range groups {
		pages = append(pages, g.name)
	}
	for _, p := range pages {
		var out bytes.Buffer
		if exit := run(context.Background(), append([]string{"host", "help"}, strings.Fields(p)...), nil, &out, &out); exit != exitOK {
			t.Errorf("host help %s ends with %d", p, exit)
		}
		for i, line := range strings.Split(out.String(), "\n") {
			if n := cellsIn(line); n > helpColumns {
				t.Errorf("host help %s, line %d has %d columns: %s", p, i+1, n, line)
			}
		}
	}
}

func TestParagraphs(t *testing.T) {
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"one two\nthree", 20, "one two three"},
		{"one two three", 7, "one two\nthree"},
		{"one\n\ntwo three", 5, "one\n\ntwo\nthree"},
		{"  as  it stands\n  b", 5, "  as  it stands\n  b"},
		{"unbreakable a", 4, "unbreakable\na"},
	} {
		if got := paragraphs(tt.text, tt.columns); got != tt.want {
			t.Errorf("%q in %d columns is %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

// A flag of every command of a group is not said to be that of each.
func TestFlagsOfAGroup(t *testing.T) {
	rows := map[string]string{}
	for _, r := range groupFlags(groupOf((&app{}).commands(), "tokens")) {
		rows[r[0]] = r[1]
	}
	for form, begins := range map[string]string{"--server URL": "ask this server", "--scope SCOPE": "add: "} {
		if !strings.HasPrefix(rows[form], begins) {
			t.Errorf("%s: %s; want %s…", form, rows[form], begins)
		}
	}
}
