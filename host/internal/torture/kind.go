//go:build unix

package torture

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"wasmhost/host/event"
)

//go:embed testdata/*.toml testdata/counter.wasm
var testdata embed.FS

// Kind is one shape of workflow, and how a run of it ends however often its
// process is killed.
type Kind struct {
	Name   string // of its file, too
	Status event.Status
	Code   string // of the run's error
	Level  int
	Output string // as JSON; "": several are right
}

// Kinds are the workflows of the campaign.
var Kinds = []Kind{
	{Name: "chain", Status: event.Succeeded, Output: `"c"`},
	{Name: "fan", Status: event.Succeeded, Output: `"join"`},
	{Name: "items", Status: event.Succeeded, Output: `"after"`},
	{Name: "sub", Status: event.Succeeded, Output: `"last"`},
	{Name: "subs", Status: event.Succeeded, Output: `"last"`},
	{Name: "retries", Status: event.Degraded, Output: `"end"`},
	{Name: "once", Status: event.Succeeded, Output: `"after"`},
	{Name: "onces", Status: event.Succeeded, Output: `"after"`},
	{Name: "rounds", Status: event.Succeeded, Output: `"end"`},
	{Name: "deadline", Status: event.Failed, Code: "deadline"},
	{Name: "levels", Status: event.Degraded, Level: 1, Output: `{"y":"y","z":"z"}`},
	{Name: "approval", Status: event.Succeeded, Output: `"b"`},
	{Name: "mend", Status: event.Succeeded, Output: `"b"`},
}

// bulk writes more than a small disk takes; not for kills, which it would make
// slow.
var bulk = Kind{Name: "bulk", Status: event.Succeeded, Output: `"end"`}

func kindOf(name string) *Kind {
	if name == bulk.Name {
		return &bulk
	}
	for i := range Kinds {
		if Kinds[i].Name == name {
			return &Kinds[i]
		}
	}
	return nil
}

// script is what the server answers to a node: how many of its first calls fail,
// with which status and text, before one succeeds.
type script struct {
	fails  int // -1: all
	status int
	text   string
	hang   bool // no answer at all
	size   int  // of the answer, about; large ones are kept apart by the journal
	calls  int  // that a run makes when nobody kills it
}

var suffix = regexp.MustCompile(`(\[\d+\])?(#\d+)?$`)

// node is the id of the node in an idempotency key, without level, item and
// fallback.
func node(key string) string {
	name := suffix.ReplaceAllString(key[strings.LastIndexByte(key, '/')+1:], "")
	return name[strings.LastIndexByte(name, ':')+1:]
}

func scriptOf(key string) script {
	switch n := node(key); {
	case strings.Contains(key, "#"): // a fallback
		return script{calls: 1}
	case n == "flaky", n == "shaky":
		return script{fails: 2, status: 503, text: "temporary: the service is unavailable", calls: 3}
	case n == "down":
		return script{fails: -1, status: 503, text: "temporary: the service is down", calls: 3}
	case n == "broken":
		return script{fails: 1, status: 400, text: "invalid: it is broken", calls: 2}
	case n == "dead":
		return script{fails: -1, status: 400, text: "invalid: it is dead", calls: 1}
	case n == "hang":
		return script{hang: true, calls: 1}
	case n == "bulk":
		return script{size: 16 << 10, calls: 1}
	case strings.HasPrefix(n, "big"):
		return script{size: 6000, calls: 1}
	default:
		return script{calls: 1}
	}
}

// once reports whether the calls of a node must never be repeated by themselves.
func once(key string) bool { return node(key) == "pay" }

// unpack writes the workflows and the plugin into a folder.
func unpack(dir string) error {
	files, err := fs.Glob(testdata, "testdata/*")
	if err != nil {
		return err
	}
	for _, name := range files {
		data, err := testdata.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
