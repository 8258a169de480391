package plugin

import (
	"bytes"
	"maps"
	"os"

	"github.com/tetratelabs/wazero/api"

	"wasmhost/host/internal/module"
)

// handles are what the host reads and writes of one module between calls.
type handles struct {
	memory  api.Memory // nil: none, or another module's
	linear  *linear    // what it holds, until the guest runs again
	globals []api.MutableGlobal
	written api.MutableGlobal // nil: its code changes no tables and drops no segments
}

// state is what the modules of an instance held after initialisation. It is
// never changed, and shared by all instances of a plugin.
type state struct {
	units    []unitState
	vars     map[string][]byte
	varBytes int64
	files    int
	// portable is true when memory, globals and vars are all that initialisation
	// changed, so that another instance can be brought here without running it.
	portable bool
}

type unitState struct {
	size    int      // of the memory, in bytes
	memory  []byte   // up to its last byte that is not 0
	backing *os.File // the same for mapped memories; nil: none
	globals []uint64
}

// publish lets the instances of the plugin begin with s, or with what another one
// published meanwhile: it returns that.
func (p *Plugin) publish(s *state, initialised bool) *state {
	for i, h := range s.units {
		if h.size >= shareFrom {
			s.units[i].backing = newBacking(h.memory[:len(h.memory):len(h.memory)])
		}
		if f := s.units[i].backing; f != nil && f.Truncate(int64(h.size)) != nil {
			f.Close()
			s.units[i].backing = nil
		}
	}
	if !p.states[kind(initialised)].CompareAndSwap(nil, s) {
		s.drop()
	}
	return p.initial(initialised)
}

// drop closes what backs the memories; instances that map it keep it.
func (s *state) drop() {
	if s == nil {
		return
	}
	for i := range s.units {
		if f := s.units[i].backing; f != nil {
			f.Close()
			s.units[i].backing = nil
		}
	}
}

func (in *instance) handle(u *unit, m api.Module) handles {
	h := handles{globals: make([]api.MutableGlobal, len(u.reset.Types))}
	if u.memory {
		h.memory, h.linear = m.ExportedMemory(module.MemoryExport), in.memory.linears[len(in.memory.linears)-1]
	}
	for i := range h.globals {
		h.globals[i], _ = m.ExportedGlobal(module.GlobalExport(i)).(api.MutableGlobal)
	}
	h.written, _ = m.ExportedGlobal(module.WrittenExport).(api.MutableGlobal)
	return h
}

// resettable is true when the mutable globals of all modules are numbers that
// the runtime can write back.
func (p *program) resettable() bool {
	for _, u := range p.units {
		for _, t := range u.reset.Types {
			switch t {
			case module.I32, module.I64, module.F32, module.F64:
			default:
				return false
			}
		}
	}
	return true
}

// save takes down the state that calls begin with.
func (in *instance) save() *state {
	s := &state{vars: maps.Clone(in.vars), varBytes: in.varBytes, files: in.files, portable: in.files == 0 && !in.wasi.touched}
	for _, h := range in.handles {
		var u unitState
		if h.memory != nil {
			u.size, u.memory = len(h.linear.buf), h.linear.snapshot()
		}
		for _, g := range h.globals {
			u.globals = append(u.globals, g.Get())
		}
		if h.written != nil && h.written.Get() != 0 {
			s.portable = false
			h.written.Set(0)
		}
		s.units = append(s.units, u)
	}
	in.wasi.touched = false
	return s
}

// restore takes the instance back to s, or says that it cannot: changes of
// tables, segments and descriptors are not undone.
func (in *instance) restore(s *state) bool {
	if in.wasi.touched || in.files != s.files {
		return false
	}
	for i, h := range in.handles {
		if h.written != nil && h.written.Get() != 0 {
			return false
		}
		if h.memory != nil && len(h.linear.buf) != s.units[i].size && !h.linear.shrinkTo(h.memory, s.units[i].size) {
			return false
		}
	}
	return in.write(s)
}

// adopt brings a new instance to a portable state; false when the memory that
// it takes is not there.
func (in *instance) adopt(s *state) bool {
	for i, h := range in.handles {
		if h.memory == nil {
			continue
		}
		if more := s.units[i].size - len(h.linear.buf); more > 0 {
			if _, ok := h.memory.Grow(uint32(more >> 16)); !ok {
				return false
			}
		}
	}
	return in.write(s)
}

func (in *instance) write(s *state) bool {
	for i, h := range in.handles {
		u := &s.units[i]
		if h.memory != nil {
			if !h.linear.undo(u) {
				done, err := h.linear.rewind(u.backing)
				if err != nil {
					return false
				}
				if !done {
					rewrite(h.linear.buf, u.memory)
				}
				h.linear.was = u
			}
		}
		for j, g := range h.globals {
			g.Set(u.globals[j])
		}
	}
	in.vars, in.varBytes = s.vars, s.varBytes
	in.varsShared = true
	if in.kernel != nil {
		in.kernel.clear()
	}
	return true
}

// rewrite makes memory what it was, followed by zeros. A call changes few pages
// of many; looking for them is cheaper than writing all.
func rewrite(memory, was []byte) {
	for len(memory) > 0 {
		n := min(page, len(memory))
		old := was[:min(n, len(was))]
		if now := memory[:n]; len(old) == n {
			if !bytes.Equal(now, old) {
				copy(now, old)
			}
		} else if len(old) > 0 || !bytes.Equal(now, zeros[:n]) {
			clear(now[copy(now, old):])
		}
		memory, was = memory[n:], was[len(old):]
	}
}

// used is where the zeros begin that fill the rest of b.
func used(b []byte) int {
	for len(b) >= page && bytes.Equal(b[len(b)-page:], zeros[:]) {
		b = b[:len(b)-page]
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return len(b)
}

// page is the unit in which memory is compared.
const page = 4096

var zeros [page]byte
