package plugin

import (
	"fmt"
	"math"
	"strings"

	"wasmhost/host/event"
)

// Spec says what a plugin is and what it may do. Settings and secrets are
// resolved already: everything here is a plain value.
type Spec struct {
	// Name is what errors and logs call it, and argv[0] of a WASI command.
	Name string
	// Source is a path (relative to Dir), builtin:NAME or https://…; the bytes
	// behind it are a module or an Extism manifest.
	Source string
	Dir    string
	// Module are the bytes themselves, where they are not to be read from Source,
	// which stays for its name. A manifest may name no files then but those of
	// Linked.
	Module []byte
	// Linked are modules that a manifest in Module names, by path or URL as it
	// stands there: they are not read or fetched. Plugin.Linked has them.
	Linked map[string][]byte
	// SHA256 is the digest of those bytes in hex, with or without "sha256:" before
	// it. Required for https.
	SHA256 string
	// ABI is extism, wasi or "" (found out from the module's imports).
	ABI string
	// Reset is call (the default: every call sees the module as it was after
	// initialisation), instance (a new instance for every call) or never (an
	// instance is used again until it fails).
	Reset string
	// Config are the values a guest reads by key. Keys that begin with "host."
	// belong to the host, "secret." to Secrets.
	Config  map[string]string
	Limits  Limits
	Allow   Allow
	Args    []string // of a WASI command, without argv[0]
	Secrets []Secret
	// Record is how many of the last calls are kept for replay; see Recording.
	Record int

	// kept is what was loaded before, instead of Module and Source.
	kept *image
	// withheld, if not nil, makes a plugin that has none of what is said here: a
	// replica.
	withheld *withheld
}

// Values of Spec.ABI and Spec.Reset.
const (
	ABIExtism = "extism"
	ABIWASI   = "wasi"

	ResetCall     = "call"
	ResetInstance = "instance"
	ResetNever    = "never"
)

// Limits bound one call; 0 means the default.
type Limits struct {
	Memory       int64 `json:"memory"`        // bytes of all linear memories and blocks together; 64 MiB
	Input        int64 `json:"input"`         // bytes; 8 MiB
	Output       int64 `json:"output"`        // bytes; 8 MiB
	Log          int64 `json:"log"`           // bytes of log text; 256 KiB
	Vars         int64 `json:"vars"`          // bytes of all vars, names included; 1 MiB
	HTTPBytes    int64 `json:"http_bytes"`    // bytes of bodies, sent and received, decompressed; 16 MiB
	HTTPRequests int   `json:"http_requests"` // 100
	Files        int   `json:"files"`         // open at once, besides the folders that are shown; 64
	Steps        int64 `json:"steps"`         // 0: as many as fit into the call's time
	Instances    int   `json:"instances"`     // at once, of this plugin; 16
}

// Allow is what a plugin may do; nothing by default.
type Allow struct {
	// HTTP are the origins that it may ask: scheme://host[:port], where the host
	// may begin with "*." for one label or more.
	HTTP []string
	FS   []Mount
	Env  []string
}

// Mount shows a folder of the host to a plugin. Links that lead out of it are
// not followed.
type Mount struct {
	Path  string // relative to Spec.Dir
	At    string // absolute, in the guest
	Write bool
}

// Secret is a value that nobody may see. Without a Header the plugin reads it
// as the config value secret.NAME. With a Header the guest never holds it: the
// host puts Prefix+Value into its requests to the origins To (nil: the
// plugin's http origins).
type Secret struct {
	Name, Value    string
	Header, Prefix string
	To             []string
}

// MinSecret is the shortest value that can be masked without shredding
// ordinary text.
const MinSecret = 8

// maxMemory is what 32-bit addresses reach.
const maxMemory = math.MaxUint32

func (l Limits) withDefaults() Limits {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	defInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Memory, 64<<20)
	def(&l.Input, 8<<20)
	def(&l.Output, 8<<20)
	def(&l.Log, 256<<10)
	def(&l.Vars, 1<<20)
	def(&l.HTTPBytes, 16<<20)
	defInt(&l.HTTPRequests, 100)
	defInt(&l.Files, 64)
	defInt(&l.Instances, 16)
	l.Memory = min(l.Memory, maxMemory)
	return l
}

func (l Limits) check() error {
	for _, v := range []struct {
		name string
		n    int64
	}{
		{"memory", l.Memory}, {"input", l.Input}, {"output", l.Output}, {"log", l.Log}, {"vars", l.Vars},
		{"http_bytes", l.HTTPBytes}, {"http_requests", int64(l.HTTPRequests)}, {"files", int64(l.Files)},
		{"steps", l.Steps}, {"instances", int64(l.Instances)},
	} {
		if v.n < 0 {
			return fmt.Errorf("limits.%s is %d; it must be positive, or 0 for the default", v.name, v.n)
		}
	}
	return nil
}

// check finds what is wrong with the values themselves, before anything is
// read.
func (s *Spec) check() *event.Error {
	bad := func(code, format string, a ...any) *event.Error {
		return &event.Error{Plugin: s.Name, Class: event.Permanent, Code: code, Message: fmt.Sprintf(format, a...)}
	}
	switch s.ABI {
	case "", ABIExtism, ABIWASI:
	default:
		return bad(codeBadSpec, "abi is %q; it must be extism or wasi, or left out to be found out from the module", s.ABI)
	}
	switch s.Reset {
	case "", ResetCall, ResetInstance, ResetNever:
	default:
		return bad(codeBadSpec, "reset is %q; it must be call, instance or never", s.Reset)
	}
	if err := s.Limits.check(); err != nil {
		return bad(codeBadSpec, "%v", err)
	}
	for key := range s.Config {
		if strings.HasPrefix(key, "host.") || strings.HasPrefix(key, "secret.") {
			return bad(codeBadSpec, "config key %q: keys that begin with %q belong to the host; choose another name", key, key[:strings.IndexByte(key, '.')+1])
		}
	}
	for _, secret := range s.Secrets {
		if len(secret.Value) < MinSecret {
			return bad(codeBadSecret, "secret %q has %d bytes; values shorter than %d bytes cannot be kept out of outputs and logs without tearing ordinary text apart, and are refused: use a longer one", secret.Name, len(secret.Value), MinSecret)
		}
	}
	return nil
}
