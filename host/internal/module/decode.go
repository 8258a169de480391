package module

import (
	"bytes"
	"fmt"
)

// span is a range of the module's bytes.
type span struct{ start, end int }

func (s span) of(b []byte) []byte { return b[s.start:s.end] }

// Section identifiers, and their place in the order the format demands.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
	secTag       = 13
	secStrings   = 14
)

var sectionNames = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global", "export",
	"start", "element", "code", "data", "data count",
}

var sectionOrder = [...]int{
	secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6,
	secExport: 7, secStart: 8, secElement: 9, secDataCount: 10, secCode: 11, secData: 12,
}

// The decoded module: positions in the bytes rather than copies of them.
type decoded struct {
	b        []byte
	lim      Limits
	features Features

	sections     [13]span // contents of the sections by identifier; zero when missing
	types        []funcType
	imports      []importEntry
	funcs        []uint32 // type of each function, imported ones first
	tables       []TableType
	memories     []Range
	globals      []GlobalType
	exports      []exportEntry
	tableMin     uint64 // elements the tables start with, together
	start        int    // function index, -1: none
	data         []dataSegment
	elements     int // element segments
	elementCount int // elements in them
	dataN        int // what the data count section says, -1: no such section
	bodies       []span
	custom       []customEntry
	names        span // contents of the name section after its name

	importedFuncs, importedTables, importedMemories, importedGlobals int
	declared                                                         bitset // functions that ref.func may name
	use                                                              usage
	grown                                                            [maxTables]bool // tables that have a table.grow
}

// funcType holds the types as the bytes they are.
type funcType struct{ params, results []byte }

type importEntry struct {
	module, name []byte
	kind         External
	index        uint32 // type index for Func; index in tables, memories, globals else
}

type exportEntry struct {
	name  []byte
	kind  External
	index uint32
}

// dataSegment is kept small: a Go program has tens of thousands.
type dataSegment struct {
	start, init, end uint32 // positions of the segment, of its bytes, of its end
	at               uint32 // where it goes, when known
	passive          bool
	known            bool // active, at a constant offset
}

type customEntry struct {
	name    []byte
	payload span
}

// usage says which instructions occur, as far as a reset or a rewrite cares.
type usage struct {
	tableWrites bool // table.set, grow, fill, copy, init
	elemDrop    bool
	dataDrop    bool
	memoryInit  bool
	memoryGrow  bool
}

// maxTables bounds Limits.Tables.
const maxTables = 100

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset    { return make(bitset, (n+63)/64) }
func (s bitset) add(i uint32)   { s[i/64] |= 1 << (i % 64) }
func (s bitset) has(i int) bool { return s[i/64]&(1<<(uint(i)%64)) != 0 }

var magic = []byte{0x00, 'a', 's', 'm'}

// decode reads the sections. Function bodies are only located: see scan.
func decode(b []byte, lim Limits) (*decoded, *Error) {
	if len(b) > lim.ModuleBytes {
		return nil, tooLarge(0, "module", "the file is too large", "ModuleBytes", uint64(lim.ModuleBytes), uint64(len(b)))
	}
	if err := header(b); err != nil {
		return nil, err
	}
	d := &decoded{b: b, lim: lim, start: -1, dataN: -1}
	last, customs := 0, 0
	for pos := 8; pos < len(b); {
		at := pos
		r := reader{b: b, pos: pos, end: len(b), what: "section header"}
		id := r.byte()
		size := r.u32()
		if r.err == nil && uint64(size) > uint64(r.left()) {
			r.failf(at, "section %d declares %d bytes, %d are left", id, size, r.left())
		}
		switch {
		case r.err != nil:
			return nil, r.err
		case id == secTag:
			return nil, unsupported(at, "tag section", "exceptions", "")
		case id == secStrings:
			return nil, unsupported(at, "string section", "gc", "string references")
		case id > secStrings:
			return nil, malformed(at, "section header", "unknown section %d", id)
		}
		r.end = r.pos + int(size)
		r.what = sectionNames[id] + " section"
		if id == secCustom {
			if customs++; customs > lim.Custom {
				return nil, tooLarge(at, r.what, "too many custom sections", "Custom", uint64(lim.Custom), uint64(customs))
			}
		} else {
			if sectionOrder[id] <= last {
				return nil, malformed(at, r.what, "out of order, or there twice")
			}
			last = sectionOrder[id]
			d.sections[id] = span{r.pos, r.end}
		}
		pos = r.end
		d.section(id, &r)
		if r.err == nil && r.pos != r.end {
			r.failf(r.pos, "%d bytes too many in the section", r.left())
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	return d, d.consistent()
}

// header checks the eight bytes a module starts with.
func header(b []byte) *Error {
	switch {
	case len(b) >= 8 && bytes.Equal(b[:4], magic) && bytes.Equal(b[4:8], []byte{1, 0, 0, 0}):
		return nil
	case len(b) >= 8 && bytes.Equal(b[:4], magic) && b[6] == 1 && b[7] == 0:
		return unsupported(4, "module", "component-model", "this is a component")
	case len(b) >= 8 && bytes.Equal(b[:4], magic):
		return malformed(4, "module", "unknown version %d", uint32(b[4])|uint32(b[5])<<8|uint32(b[6])<<16|uint32(b[7])<<24)
	case len(b) == 0:
		return malformed(0, "module", "the file is empty")
	case bytes.HasPrefix(bytes.TrimLeft(b[:min(len(b), 4096)], " \t\r\n"), []byte("(")):
		return malformed(0, "module", "not WebAssembly binary; this looks like its text format: translate it with wat2wasm first")
	}
	return malformed(0, "module", "not WebAssembly: the first bytes must be \"\\0asm\" and version 1")
}

// consistent checks what spans sections.
func (d *decoded) consistent() *Error {
	if have, want := len(d.bodies), len(d.funcs)-d.importedFuncs; have != want {
		return malformed(d.sections[secCode].start, "code section", "%d functions are declared, %d bodies are there", want, have)
	}
	if d.dataN >= 0 && d.dataN != len(d.data) {
		return malformed(d.sections[secDataCount].start, "data count section", "says %d segments, the data section has %d", d.dataN, len(d.data))
	}
	return nil
}

func (d *decoded) section(id byte, r *reader) {
	switch id {
	case secCustom:
		d.customSection(r)
	case secType:
		d.typeSection(r)
	case secImport:
		d.importSection(r)
	case secFunction:
		n := r.count(1, "functions", "Functions", d.lim.Functions-d.importedFuncs)
		d.funcs = grow(d.funcs, n)
		for range n {
			d.funcs = append(d.funcs, d.typeIndex(r))
		}
	case secTable:
		for range r.count(3, "tables", "Tables", d.lim.Tables-d.importedTables) {
			d.table(r)
		}
	case secMemory:
		off := r.pos
		switch n := r.u32(); {
		case n > 1:
			r.fail(unsupported(off, r.what, "multi-memory", fmt.Sprintf("%d memories", n)))
		case n == 1:
			d.memory(r)
		}
	case secGlobal:
		d.globalSection(r, nil)
	case secExport:
		d.exportSection(r)
	case secStart:
		off := r.pos
		d.start = int(d.funcIndex(r))
		if r.err == nil {
			if t := d.funcType(uint32(d.start)); len(t.params)+len(t.results) != 0 {
				r.failf(off, "the start function takes or returns values")
			}
		}
	case secElement:
		d.elementSection(r, nil)
	case secDataCount:
		d.dataN = int(r.u32())
	case secCode:
		d.codeSection(r)
	case secData:
		d.dataSection(r)
	}
}

// grow makes room for n more.
func grow[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]T, 0, len(s)+n), s...)
}

func (d *decoded) typeSection(r *reader) {
	n := r.count(2, "types", "Types", d.lim.Types)
	d.types = make([]funcType, 0, n)
	for range n {
		off := r.pos
		switch c := r.byte(); {
		case r.err != nil:
			return
		case c == 0x4e || c == 0x4f || c == 0x50 || c == 0x5e || c == 0x5f:
			r.fail(unsupported(off, r.what, "gc", fmt.Sprintf("type form 0x%x", c)))
			return
		case c != 0x60:
			r.failf(off, "a function type starts with 0x60, not 0x%x", c)
			return
		}
		var t funcType
		t.params = r.valTypes(r.count(1, "parameters", "Params", d.lim.Params), &d.features)
		t.results = r.valTypes(r.count(1, "results", "Params", d.lim.Params), &d.features)
		if len(t.results) > 1 {
			d.features.set(MultiValue)
		}
		d.types = append(d.types, t)
	}
}

func (d *decoded) importSection(r *reader) {
	n := r.count(4, "imports", "Imports", d.lim.Imports)
	d.imports = make([]importEntry, 0, n)
	for range n {
		off := r.pos
		e := importEntry{module: r.name(d.lim.NameBytes), name: r.name(d.lim.NameBytes)}
		if r.err == nil && reserved(e.module) {
			r.failf(off, "imports from %q: names that start with %q are the host's own", e.module, Prefix)
		}
		kind := r.pos
		e.kind = External(r.byte())
		switch {
		case r.err != nil:
			return
		case e.kind == Func:
			e.index = d.typeIndex(r)
			d.funcs = append(d.funcs, e.index)
			d.importedFuncs++
		case e.kind == Table:
			e.index = uint32(len(d.tables))
			d.table(r)
			d.importedTables++
		case e.kind == Memory:
			e.index = uint32(len(d.memories))
			d.memory(r)
			d.importedMemories++
		case e.kind == Global:
			e.index = uint32(len(d.globals))
			d.globals = append(d.globals, r.globalType(&d.features))
			d.importedGlobals++
		case e.kind == 4:
			r.fail(unsupported(kind, r.what, "exceptions", "a tag is imported"))
		default:
			r.failf(kind, "unknown kind of import 0x%x", byte(e.kind))
		}
		d.imports = append(d.imports, e)
	}
}

func (d *decoded) table(r *reader) {
	off := r.pos
	t := r.tableType(&d.features)
	d.tableMin += uint64(t.Min)
	if r.err == nil && d.tableMin > uint64(d.lim.TableMin) {
		r.fail(tooLarge(off, r.what, "the tables start too large", "TableMin", uint64(d.lim.TableMin), d.tableMin))
	}
	if d.tables = append(d.tables, t); len(d.tables) > 1 {
		d.features.set(ReferenceTypes)
	}
	if len(d.tables) > d.lim.Tables {
		r.fail(tooLarge(off, r.what, "too many tables", "Tables", uint64(d.lim.Tables), uint64(len(d.tables))))
	}
}

func (d *decoded) memory(r *reader) {
	off := r.pos
	m := r.limits(true)
	if r.err == nil && uint64(m.Min) > uint64(d.lim.MemoryMin) {
		r.fail(tooLarge(off, r.what, "a memory starts too large (pages)", "MemoryMin", uint64(d.lim.MemoryMin), uint64(m.Min)))
	}
	if d.memories = append(d.memories, m); len(d.memories) > 1 {
		r.fail(unsupported(off, r.what, "multi-memory", "a second memory"))
	}
}

func (d *decoded) globalSection(r *reader, w *rewriter) {
	n := r.count(4, "globals", "Globals", d.lim.Globals-d.importedGlobals)
	if w == nil {
		d.globals = grow(d.globals, n)
	}
	for range n {
		g := r.globalType(&d.features)
		d.constExpr(r, w)
		if w == nil {
			d.globals = append(d.globals, g)
		}
	}
}

func (d *decoded) exportSection(r *reader) {
	n := r.count(3, "exports", "Exports", d.lim.Exports)
	d.exports = make([]exportEntry, 0, n)
	for range n {
		off := r.pos
		e := exportEntry{name: r.name(d.lim.NameBytes)}
		if r.err == nil && reserved(e.name) {
			r.failf(off, "exports %q: names that start with %q are the host's own", e.name, Prefix)
		}
		kind := r.pos
		e.kind = External(r.byte())
		switch {
		case r.err != nil:
			return
		case e.kind == Func:
			if e.index = d.funcIndex(r); r.err == nil {
				d.declare(e.index)
			}
		case e.kind == Table:
			e.index = r.index("table", len(d.tables))
		case e.kind == Memory:
			e.index = r.index("memory", len(d.memories))
		case e.kind == Global:
			e.index = r.index("global", len(d.globals))
		case e.kind == 4:
			r.fail(unsupported(kind, r.what, "exceptions", "a tag is exported"))
		default:
			r.failf(kind, "unknown kind of export 0x%x", byte(e.kind))
		}
		d.exports = append(d.exports, e)
	}
}

func (d *decoded) codeSection(r *reader) {
	if size := r.left(); size > d.lim.CodeBytes {
		r.fail(tooLarge(r.pos, r.what, "too much code", "CodeBytes", uint64(d.lim.CodeBytes), uint64(size)))
		return
	}
	n := r.count(3, "function bodies", "Functions", d.lim.Functions)
	d.bodies = make([]span, 0, n)
	for range n {
		off := r.pos
		size := r.u32()
		if r.err == nil && uint64(size) > uint64(d.lim.BodyBytes) {
			r.fail(tooLarge(off, d.function(len(d.bodies)), "the body is too large", "BodyBytes", uint64(d.lim.BodyBytes), uint64(size)))
		}
		start := r.pos
		r.bytes(size)
		if r.err != nil {
			return
		}
		d.bodies = append(d.bodies, span{start, r.pos})
	}
}

// function names a function by its index in the module, given its body's.
func (d *decoded) function(body int) string {
	return fmt.Sprintf("function %d", body+d.importedFuncs)
}

func (d *decoded) typeIndex(r *reader) uint32 { return r.index("type", len(d.types)) }
func (d *decoded) funcIndex(r *reader) uint32 { return r.index("function", len(d.funcs)) }

func (d *decoded) funcType(f uint32) *funcType { return &d.types[d.funcs[f]] }

// declare notes that ref.func may name f.
func (d *decoded) declare(f uint32) {
	if d.declared == nil {
		d.declared = newBitset(len(d.funcs))
	}
	d.declared.add(f)
}

// index reads an index and checks it against the number of entries there are.
func (r *reader) index(what string, n int) uint32 {
	off := r.pos
	i := r.u32()
	if r.err == nil && uint64(i) >= uint64(n) {
		r.failf(off, "%s %d does not exist: there are %d", what, i, n)
		return 0
	}
	return i
}
