package plugin

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// wasiState is what the host knows of the descriptors that wazero keeps for an
// instance, and that it has no way to put back.
type wasiState struct {
	// touched is true once the guest changed one of those it was given: closed
	// or renumbered it, set its flags, moved its position.
	touched bool
	// changes is true while a function runs that touches one if it succeeds.
	changes bool
}

// wasiChanges are the functions that may change a descriptor the guest was
// given. path_open is not among them: files that stay open are counted.
var wasiChanges = map[string]bool{
	"fd_close": true, "fd_renumber": true, "fd_fdstat_set_flags": true, "fd_fdstat_set_rights": true,
	"fd_seek": true, "fd_readdir": true, "sock_accept": true, "sock_shutdown": true,
}

// linkWASI gives rt the functions of WASI preview 1, those that change
// descriptors watched.
func linkWASI(ctx context.Context, rt wazero.Runtime) error {
	watch := experimental.FunctionListenerFactoryFunc(func(def api.FunctionDefinition) experimental.FunctionListener {
		name := def.Name()
		if len(def.ExportNames()) > 0 {
			name = def.ExportNames()[0]
		}
		if !wasiChanges[name] {
			return nil
		}
		return descriptorWatch{name}
	})
	_, err := wasi_snapshot_preview1.Instantiate(experimental.WithFunctionListenerFactory(ctx, watch), rt)
	return err
}

// descriptorWatch is told of the calls of one of wasiChanges.
type descriptorWatch struct{ name string }

// Before implements experimental.FunctionListener.
func (w descriptorWatch) Before(ctx context.Context, _ api.Module, _ api.FunctionDefinition, params []uint64, _ experimental.StackIterator) {
	in := instanceOf(ctx)
	given := uint32(params[0]) <= uint32(2+len(in.plugin.mounts))
	switch w.name {
	case "fd_close", "fd_renumber": // whatever they answer
		in.wasi.touched = in.wasi.touched || given || w.name == "fd_renumber"
	default:
		in.wasi.changes = given
	}
}

// After implements experimental.FunctionListener. What failed changed nothing:
// Go's runtime tries to set flags of the standard streams, which they do not
// have.
func (w descriptorWatch) After(ctx context.Context, _ api.Module, _ api.FunctionDefinition, results []uint64) {
	in := instanceOf(ctx)
	if in.wasi.changes && uint32(results[0]) == 0 {
		in.wasi.touched = true
	}
	in.wasi.changes = false
}

// Abort implements experimental.FunctionListener: the call is over, and so is
// the instance.
func (w descriptorWatch) Abort(context.Context, api.Module, api.FunctionDefinition, error) {}
