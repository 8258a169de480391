package module

// Info is what Check and Prepare found out about a module. It holds copies, so
// that the module's bytes can be let go.
type Info struct {
	// Size of the module as it was given, in bytes.
	Size int
	// CompileMillis is the estimate that Limits.CompileMillis bounds.
	CompileMillis int
	// Features the runtime must have switched on.
	Features Features
	Imports  []Import
	Exports  []Export
	// Start is true when the module has a start function. After Prepare it is
	// no longer run by instantiation: see StartExport.
	Start bool
	// Functions, Globals and Data count what the module defines itself.
	Functions, Globals, Data int
	// Memory is the memory's size, nil when there is none; MemoryImported says
	// that it is somebody else's. Tables lists all tables, imported ones first.
	Memory         *Range
	MemoryImported bool
	Tables         []TableType
	// Custom lists the custom sections in order. Contents are kept for
	// sections of at most 64 KiB that are neither names nor debug information.
	Custom []Custom
	// Reset says what a host must know that takes an instance back to an
	// earlier state.
	Reset Reset
}

// Import is something the module asks for.
type Import struct {
	Module, Name string
	Kind         External
	Func         *FuncType   // Kind Func
	Table        *TableType  // Kind Table
	Memory       *Range      // Kind Memory
	Global       *GlobalType // Kind Global
}

// Export is something the module offers under a name of its own choice; what
// Prepare adds is not listed.
type Export struct {
	Name   string
	Kind   External
	Func   *FuncType
	Table  *TableType
	Memory *Range
	Global *GlobalType
}

// Custom is a custom section.
type Custom struct {
	Name string
	Size int
	Data []byte // nil when it was not kept
}

// Reset lists the state that outlives a call besides memory contents.
type Reset struct {
	// Globals is how many mutable globals the module defines. After Prepare
	// each is exported as GlobalExport(i), i from 0, with the type in Types.
	Globals int
	Types   []ValType
	// V128 is true when one of them is a v128, which the runtime's API cannot
	// write back whole.
	V128 bool
	// SharedGlobals, SharedMemory and SharedTables say that mutable state is
	// imported, or (tables, memory) exported under a name of the module's own,
	// so that others may hold or change it.
	SharedGlobals, SharedMemory, SharedTables bool
	// WritesTables and DropsSegments say that the code contains instructions
	// that change tables or drop segments. Whether they ran is told by the
	// exported global WrittenExport of the prepared module.
	WritesTables, DropsSegments bool
	// GrowsMemory says that the code contains memory.grow.
	GrowsMemory bool
	// Passive says that there are passive data or element segments in use.
	Passive bool
}

// CustomData returns the contents of the first custom section of that name, if
// it is there and was kept.
func (i *Info) CustomData(name string) ([]byte, bool) {
	for _, c := range i.Custom {
		if c.Name == name && c.Data != nil {
			return c.Data, true
		}
	}
	return nil, false
}

// Export returns the export of that name.
func (i *Info) Export(name string) (Export, bool) {
	for _, e := range i.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// customKept is the largest custom section whose contents Info carries.
const customKept = 64 << 10

func (d *decoded) info() *Info {
	i := &Info{
		Size: len(d.b), Features: d.features, Start: d.start >= 0,
		Functions: len(d.funcs) - d.importedFuncs, Globals: len(d.globals) - d.importedGlobals,
		Data: len(d.data), Tables: append([]TableType(nil), d.tables...),
		MemoryImported: d.importedMemories > 0,
	}
	if len(d.memories) > 0 {
		m := d.memories[0]
		i.Memory = &m
	}
	for _, e := range d.imports {
		x := d.external(e.kind, e.index)
		if e.kind == Func {
			x.Func = d.signature(e.index)
		}
		i.Imports = append(i.Imports, Import{
			Module: string(e.module), Name: string(e.name), Kind: e.kind,
			Func: x.Func, Table: x.Table, Memory: x.Memory, Global: x.Global,
		})
	}
	for _, e := range d.exports {
		x := d.external(e.kind, e.index)
		if e.kind == Func {
			x.Func = d.signature(d.funcs[e.index])
		}
		x.Name, x.Kind = string(e.name), e.kind
		i.Exports = append(i.Exports, x)
	}
	for _, c := range d.custom {
		e := Custom{Name: string(c.name), Size: c.payload.end - c.payload.start}
		if e.Size <= customKept && e.Name != "name" && !debugSection(e.Name) {
			e.Data = append([]byte{}, c.payload.of(d.b)...)
		}
		i.Custom = append(i.Custom, e)
	}
	i.Reset = d.reset()
	return i
}

func debugSection(name string) bool {
	return len(name) > 7 && name[:7] == ".debug_"
}

// external describes anything but a function.
func (d *decoded) external(kind External, index uint32) (x Export) {
	switch kind {
	case Table:
		t := d.tables[index]
		x.Table = &t
	case Memory:
		m := d.memories[index]
		x.Memory = &m
	case Global:
		g := d.globals[index]
		x.Global = &g
	}
	return
}

func (d *decoded) signature(typ uint32) *FuncType {
	t := d.types[typ]
	conv := func(b []byte) []ValType {
		s := make([]ValType, len(b))
		for i, c := range b {
			s[i] = ValType(c)
		}
		return s
	}
	return &FuncType{Params: conv(t.params), Results: conv(t.results)}
}

func (d *decoded) reset() (x Reset) {
	for i, g := range d.globals {
		switch {
		case !g.Mutable:
		case i < d.importedGlobals:
			x.SharedGlobals = true
		default:
			x.Globals++
			x.Types = append(x.Types, g.Type)
			x.V128 = x.V128 || g.Type == V128
		}
	}
	x.SharedMemory = d.importedMemories > 0
	x.SharedTables = d.importedTables > 0
	for _, e := range d.exports {
		x.SharedTables = x.SharedTables || e.kind == Table
		x.SharedMemory = x.SharedMemory || e.kind == Memory
		x.SharedGlobals = x.SharedGlobals || e.kind == Global && d.globals[e.index].Mutable
	}
	x.WritesTables = d.use.tableWrites
	x.DropsSegments = d.use.elemDrop || d.use.dataDrop
	x.GrowsMemory = d.use.memoryGrow
	for _, s := range d.data {
		x.Passive = x.Passive || s.passive
	}
	return
}
