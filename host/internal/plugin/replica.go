package plugin

import (
	"context"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"

	"wasmhost/host/event"
)

// withheld is what a replica does not have of what its plugin may use.
type withheld struct {
	secrets map[string]bool // those that a guest would read by name
	// state is true when calls of the plugin see what earlier ones left behind, and
	// env when it may read variables: nobody knows which calls do.
	state, env bool
}

// replica makes of p a plugin of the same code without permissions: no network,
// no files, no variables, no secrets. Calls of it bring a tape that answers its
// requests, and tells what it lacked. Each has an instance of its own, so that
// what initialisation lacks is seen too. What the plugin masks is masked.
func (p *Plugin) replica(ctx context.Context) (*Plugin, *event.Error) {
	s := p.spec
	s.withheld = &withheld{secrets: map[string]bool{}, state: s.Reset == ResetNever, env: p.reach.env && len(p.env) > 0}
	for _, secret := range s.Secrets {
		if secret.Header == "" {
			s.withheld.secrets[secret.Name] = true
		}
	}
	s.Reset, s.Allow.HTTP, s.Allow.Env, s.Secrets, s.Record = ResetInstance, nil, nil, nil, 0
	img := p.program.image.kept()
	if err := p.runtime.finish(img, s.ABI); err != nil {
		return nil, err
	}
	replica, err := p.runtime.assemble(ctx, s, img)
	if err != nil {
		return nil, err
	}
	replica.masks, replica.binary = p.masks, p.binary
	return replica, nil
}

// lacked is what may have made a call of the replica come out otherwise than
// that of its plugin; "": nothing.
func (w *withheld) lacked(t *tape) string {
	switch {
	case t.lacks != "":
		return t.lacks
	case w.state:
		return "the state of earlier calls"
	case w.env:
		return "environment variables"
	}
	return ""
}

// withheldFS is a folder that a replica is shown: it is there, and nothing can
// be done in it.
type withheldFS struct {
	sys.UnimplementedFS
	in *instance
}

func (f withheldFS) no() sys.Errno {
	f.in.mustGoOn()
	f.in.tape.lack("files")
	return sys.EACCES
}

func (f withheldFS) OpenFile(string, sys.Oflag, fs.FileMode) (sys.File, sys.Errno) {
	return nil, f.no()
}
func (f withheldFS) Lstat(string) (wsys.Stat_t, sys.Errno) { return wsys.Stat_t{}, f.no() }
func (f withheldFS) Stat(string) (wsys.Stat_t, sys.Errno)  { return wsys.Stat_t{}, f.no() }
