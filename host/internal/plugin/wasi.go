package plugin

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	"runtime"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// wasiState is what the host knows of the descriptors that wazero keeps for an
// instance, and that it has no way to put back.
type wasiState struct {
	// touched is true once the guest changed one of those it was given: closed
	// or renumbered it, set its flags, moved its position.
	touched bool
	// changes is true while a function runs that touches one if it succeeds.
	changes bool
	// full is true once a file was refused because too many are open.
	full bool
	// exited is true when the call ended by proc_exit.
	exited bool
}

// wasiChanges are the functions that may change a descriptor the guest was
// given. path_open is not among them: files that stay open are counted.
var wasiChanges = map[string]bool{
	"fd_close": true, "fd_renumber": true, "fd_fdstat_set_flags": true, "fd_fdstat_set_rights": true,
	"fd_seek": true, "fd_readdir": true, "sock_accept": true, "sock_shutdown": true,
}

// linkWASI gives rt the functions of WASI preview 1: watched those that change
// descriptors, and those that take long for what a guest hands them. Steps are
// counted in the guest only, so that a loop of few instructions around them
// would go on for minutes after its deadline; what reads, writes and draws
// random bytes looks by itself.
func linkWASI(ctx context.Context, rt wazero.Runtime) error {
	watch := experimental.FunctionListenerFactoryFunc(func(def api.FunctionDefinition) experimental.FunctionListener {
		name := def.Name()
		if len(def.ExportNames()) > 0 {
			name = def.ExportNames()[0]
		}
		switch {
		case wasiChanges[name]:
			return descriptorWatch{name}
		case name == "poll_oneoff" || strings.HasPrefix(name, "path_"):
			return longWatch{name}
		}
		return nil
	})
	functions := rt.NewHostModuleBuilder(wasiModule)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(functions)
	exit := api.GoModuleFunc(func(ctx context.Context, _ api.Module, params []uint64) {
		instanceOf(ctx).exit(uint32(params[0]))
	})
	functions.NewFunctionBuilder().WithGoModuleFunction(exit, i32, none).Export("proc_exit")
	_, err := functions.Instantiate(experimental.WithFunctionListenerFactory(ctx, watch))
	return err
}

// exit is proc_exit. It ends the call, and not the module as wazero's own does:
// what a command left behind is undone like what any other call did.
func (in *instance) exit(code uint32) {
	in.wasi.exited = true
	panic(sys.NewExitError(code))
}

// withoutMemory are the functions that need none of the guest's. The others fail
// in Go when there is none, as if the host were broken.
var withoutMemory = map[string]bool{
	"proc_exit": true, "proc_raise": true, "sched_yield": true, "sock_shutdown": true, "fd_advise": true, "fd_allocate": true, "fd_close": true, "fd_datasync": true,
	"fd_fdstat_set_flags": true, "fd_fdstat_set_rights": true, "fd_filestat_set_size": true, "fd_filestat_set_times": true, "fd_renumber": true, "fd_sync": true,
}

// descriptorWatch is told of the calls of one of wasiChanges.
type descriptorWatch struct{ name string }

// Before implements experimental.FunctionListener.
func (w descriptorWatch) Before(ctx context.Context, _ api.Module, _ api.FunctionDefinition, params []uint64, _ experimental.StackIterator) {
	in := instanceOf(ctx)
	in.mustGoOn()
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

// longWatch is told of the calls of poll_oneoff and of what takes a path.
type longWatch struct{ name string }

// Before implements experimental.FunctionListener.
func (w longWatch) Before(ctx context.Context, mod api.Module, _ api.FunctionDefinition, params []uint64, _ experimental.StackIterator) {
	in := instanceOf(ctx)
	in.mustGoOn()
	if w.name == "poll_oneoff" {
		checkPoll(mod, uint32(params[0]), uint32(params[2]))
	} else if in.plugin.spec.withheld != nil && len(in.plugin.mounts) > 0 {
		in.tape.lack("files")
	}
	for _, i := range pathLengths[w.name] {
		if n := uint32(params[i]); n > maxPathText {
			panic(badHandle("%s: a path of %d bytes, and %d are the most", w.name, n, maxPathText))
		}
	}
}

// maxPathText is how much of a path wazero may copy and take apart before it
// gets to maxPath.
const maxPathText = 64 << 10

// pathLengths are the parameters that say how long a path is.
var pathLengths = map[string][]int{
	"path_create_directory": {2}, "path_filestat_get": {3}, "path_filestat_set_times": {3}, "path_link": {3, 6}, "path_open": {3},
	"path_readlink": {2}, "path_remove_directory": {2}, "path_rename": {2, 5}, "path_symlink": {1, 4}, "path_unlink_file": {2},
}

// After implements experimental.FunctionListener.
func (w longWatch) After(context.Context, api.Module, api.FunctionDefinition, []uint64) {}

// Abort implements experimental.FunctionListener.
func (w longWatch) Abort(context.Context, api.Module, api.FunctionDefinition, error) {}

// maxSubscriptions is far more than anybody waits for. wazero reckons with their
// size in 32 bits, and reads past its slice when that wraps.
const maxSubscriptions = 1 << 16

// checkPoll makes n subscriptions of poll_oneoff fit for wazero, which takes a
// time to wait for as a number with a sign: 300 years would be over at once.
// They become the longest that there is, 292 years.
func checkPoll(mod api.Module, at, n uint32) {
	if n > maxSubscriptions {
		panic(badHandle("poll_oneoff: %d subscriptions, and %d are the most", n, maxSubscriptions))
	}
	const subscription, kind, timeout, clock = 48, 8, 24, 0
	if mod.Memory() == nil {
		return
	}
	list, _ := mod.Memory().Read(at, n*subscription)
	for ; len(list) > 0; list = list[subscription:] {
		if list[kind] == clock && binary.LittleEndian.Uint64(list[timeout:]) > math.MaxInt64 {
			binary.LittleEndian.PutUint64(list[timeout:], math.MaxInt64)
		}
	}
}

// giveWay is mustGoOn between two pieces of long work in the host, and lets
// others run as guest code does: Go itself lets a goroutine work for ten
// milliseconds, and a collection that waits for several of them in turn takes
// a fifth of a second.
func (in *instance) giveWay() {
	in.mustGoOn()
	runtime.Gosched()
}

// randomness is what a guest draws from: the real one, in pieces with a look at
// the call between them.
type randomness struct{ in *instance }

func (r randomness) Read(p []byte) (int, error) {
	if len(p) < 1<<10 {
		r.in.mustGoOn()
	} else {
		r.in.giveWay()
	}
	return rand.Read(p[:min(len(p), 64<<10)])
}
