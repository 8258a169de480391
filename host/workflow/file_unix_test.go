//go:build unix

package workflow_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"wasmhost/host/workflow"
)

// TestOddFiles: what is no regular file is refused and never opened for good: a
// pipe has no end, and nobody may be writing to it.
func TestOddFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe.toml", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo("pipe.json", 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", "socket.toml")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for link, to := range map[string]string{"zero.toml": "/dev/zero", "zero.json": "/dev/zero", "linked.toml": "pipe.toml"} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("folder.toml", 0o700); err != nil {
		t.Fatal(err)
	}
	const begin = "[plugins.p]\nsource = \"builtin:uppercase\"\n[nodes.a]\n"
	for name, text := range map[string]string{
		"sub-pipe.toml":    begin + "workflow = \"pipe.toml\"\n",
		"level-zero.toml":  begin + "plugin = \"p\"\n[[fallback]]\nworkflow = \"zero.toml\"\npriority = 1\n",
		"schema-pipe.toml": begin + "plugin = \"p\"\noutput = \"pipe.json\"\n",
		"schema-zero.toml": begin + "plugin = \"p\"\noutput = \"zero.json\"\n",
		"refers.toml":      begin + "plugin = \"p\"\noutput = { \"$ref\" = \"pipe.json\" }\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ file, code, says string }{
		{"pipe.toml", "unreadable", "pipe.toml is a named pipe"},
		{"linked.toml", "unreadable", "linked.toml is a named pipe"},
		{"socket.toml", "unreadable", "socket.toml is a socket"},
		{"zero.toml", "unreadable", "zero.toml is a device"},
		{"folder.toml", "unreadable", "folder.toml is a folder"},
		{"sub-pipe.toml", "unreadable", "pipe.toml is a named pipe"},
		{"level-zero.toml", "unreadable", "zero.toml is a device"},
		{"schema-pipe.toml", "unreadable", "pipe.json is a named pipe"},
		{"refers.toml", "bad_schema", "a named pipe"},
	} {
		plan, findings := workflow.Load(context.Background(), c.file, workflow.Options{Inspector: builtins})
		var out bytes.Buffer
		workflow.Format(&out, findings, nil, false) // shows no line of what was not read
		if plan != nil || len(findings) != 1 || findings[0].Code != c.code || !strings.Contains(findings[0].Message, c.says) ||
			c.code == "unreadable" && findings[0].Hint == "" {
			t.Errorf("%s:\n%s", c.file, out.String())
		}
	}
	// A link out of the folder is refused as such, before what it leads to counts.
	if plan, findings := workflow.Load(context.Background(), "schema-zero.toml", workflow.Options{Inspector: builtins}); plan != nil || len(findings) != 1 {
		t.Errorf("a schema behind a link to /dev/zero: %v", findings)
	}
}
