package sandboxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// sources is where the guests' sources are; those in host/ need a host.
const sources = "../../../testdata/hostile"

// guests is where the ordinary guests are, built already.
const guests = "../../../testdata/guests"

var built struct {
	sync.Mutex
	dir   string
	files map[string]string
}

// build translates one guest and returns the module's path. It fails where the
// tools are missing and CI is set; elsewhere it skips, loudly.
func build(t testing.TB, source string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if path := built.files[source]; path != "" {
		return path
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "sandboxtest-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.files = dir, map[string]string{}
	}
	from := filepath.Join(sources, source)
	to := filepath.Join(built.dir, strings.NewReplacer("/", "-", ".", "-").Replace(source)+".wasm")
	switch filepath.Ext(source) {
	case ".wat":
		tool(t, "wat2wasm", "wabt", "--enable-tail-call", "--enable-extended-const", "-o", to, from)
	case ".c":
		// In two steps: clang runs a wasm-opt that it happens to find when it links.
		object := to + ".o"
		tool(t, "clang", "clang", "--target=wasm32", "-mbulk-memory", "-ffreestanding", "-O2", "-Wall", "-Werror", "-c", "-o", object, from)
		tool(t, "wasm-ld", "lld", "--no-entry", "--strip-all", "-o", to, object)
	default:
		t.Fatalf("%s is neither .wat nor .c", source)
	}
	built.files[source] = to
	return to
}

func tool(t testing.TB, name, debian string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed: the sandbox was not attacked (apt-get install %s)", name, debian)
		}
		t.Skipf("NOT TESTED: %s is not installed: the sandbox was not attacked (apt-get install %s)", name, debian)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func removeBuilt() { os.RemoveAll(built.dir) }
