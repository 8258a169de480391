package module

// FormatVersion changes whenever Prepare writes other bytes for the same input
// and options, or Info gains a field. Caches must have it in their keys.
const FormatVersion = 1

// Options say how a module is prepared. The zero value means: metered, default
// limits, growth bounded only by the module's own maxima.
type Options struct {
	Limits Limits
	// MemoryPages is the most pages (64 KiB) a memory that the module defines
	// may ever have; 0: no cap but the module's own. A module that starts with
	// more is refused.
	MemoryPages uint32
	// TableElements is the most elements the tables that the module defines may
	// ever have together; 0: 10,000,000. What the tables start with counts;
	// the rest is shared evenly by those that the code grows.
	TableElements uint32
	// Unmetered leaves out metering: no import, no counter, nothing can stop
	// the code. For trusted modules and for comparison.
	Unmetered bool
}

// defaultTableElements caps tables where the caller does not.
const defaultTableElements = 10_000_000

// Prepared is a module that is ready to be compiled.
type Prepared struct {
	Bytes []byte
	Info  *Info // of the module as it was given
}

// Prepare checks a module as Check does and rewrites it as the package comment
// says. The error is an *Error. The result is the same for the same bytes and
// options. Prepare is safe for concurrent use and does not keep b.
func Prepare(b []byte, o Options) (*Prepared, error) {
	o.Limits = o.Limits.withDefaults()
	if o.TableElements == 0 {
		o.TableElements = defaultTableElements
	}
	d, err := decode(b, o.Limits)
	if err != nil {
		return nil, err
	}
	if err := d.fits(&o); err != nil {
		return nil, err
	}
	m := d.meter(&o)
	size := d.sections[secCode].end - d.sections[secCode].start
	code := make([]byte, 0, size+size/3+1024)
	s := d.scanner(m.on)
	for i, body := range d.bodies {
		if err := s.scan(i); err != nil {
			return nil, err
		}
		code = m.body(code, s, body)
	}
	bodies := len(d.bodies)
	for i := 0; i < len(m.used); i++ { // a routine may ask for another
		body := m.routine(m.used[i])
		code = append(appendU32(code, uint32(len(body))), body...)
		bodies++
	}
	p := &writer{d: d, o: &o, m: m}
	return &Prepared{Bytes: p.module(code, bodies), Info: s.info()}, nil
}

// fits checks what the options cap.
func (d *decoded) fits(o *Options) *Error {
	if o.MemoryPages > 0 && d.importedMemories == 0 && len(d.memories) > 0 && d.memories[0].Min > o.MemoryPages {
		return tooLarge(d.sections[secMemory].start, "memory section", "the memory starts with more pages (64 KiB) than it may have",
			"MemoryPages", uint64(o.MemoryPages), uint64(d.memories[0].Min))
	}
	if d.tableMin > uint64(o.TableElements) {
		return tooLarge(d.sections[secTable].start, "table section", "the tables start with more elements than they may have",
			"TableElements", uint64(o.TableElements), d.tableMin)
	}
	return nil
}

// meter lays out the indices of what preparation adds.
func (d *decoded) meter(o *Options) *meter {
	m := &meter{
		d: d, on: !o.Unmetered,
		imported: uint32(d.importedFuncs),
		counter:  uint32(len(d.globals)),
		written:  uint32(len(d.globals)),
		initMax:  uint32(d.sections[secData].end - d.sections[secData].start),
		tableMax: o.TableElements,
	}
	m.shift.imported = m.imported
	if m.on {
		m.shift.by = 1
		m.written++
	}
	m.first = uint32(len(d.funcs)) + m.shift.by
	return m
}

// writer puts the prepared module together.
type writer struct {
	d *decoded
	o *Options
	m *meter
}

func (p *writer) module(code []byte, bodies int) []byte {
	d := p.d
	b := make([]byte, 0, len(d.b)+len(code)-(d.sections[secCode].end-d.sections[secCode].start)+4096)
	b = append(b, d.b[:8]...)
	b = p.types(b)
	b = p.imports(b)
	b = p.functions(b)
	b = p.tables(b)
	b = p.memory(b)
	b = p.globals(b)
	b = p.exports(b)
	b = p.elements(b)
	data, segments := p.data()
	if d.dataN >= 0 {
		b = appendSection(b, secDataCount, count(segments))
	}
	if bodies > 0 {
		b = appendSection(b, secCode, count(bodies), code)
	}
	if segments > 0 {
		b = appendSection(b, secData, count(segments), data)
	}
	return p.names(b)
}

// entries returns what follows the count of a section's entries.
func (d *decoded) entries(id int) []byte {
	s := d.sections[id]
	r := reader{b: d.b, pos: s.start, end: s.end}
	if s.start == s.end {
		return nil
	}
	r.u32()
	return d.b[r.pos:s.end]
}

func (p *writer) types(b []byte) []byte {
	if !p.m.on {
		return p.same(b, secType)
	}
	return appendSection(b, secType, count(len(p.d.types)+typesAdded), p.d.entries(secType), addedTypes)
}

// same copies a section as it is.
func (p *writer) same(b []byte, id byte) []byte {
	s := p.d.sections[id]
	if s == (span{}) {
		return b
	}
	return appendSection(b, id, s.of(p.d.b))
}

func (p *writer) imports(b []byte) []byte {
	if !p.m.on {
		return p.same(b, secImport)
	}
	own := appendName(appendName(nil, YieldModule), YieldName)
	own = appendU32(append(own, byte(Func)), uint32(len(p.d.types)+typeImport))
	return appendSection(b, secImport, count(len(p.d.imports)+1), p.d.entries(secImport), own)
}

func (p *writer) functions(b []byte) []byte {
	if len(p.m.used) == 0 {
		return p.same(b, secFunction)
	}
	var own []byte
	for _, r := range p.m.used {
		own = appendU32(own, uint32(len(p.d.types)+r.typ()))
	}
	return appendSection(b, secFunction, count(len(p.d.bodies)+len(p.m.used)), p.d.entries(secFunction), own)
}

func appendRange(b []byte, r Range) []byte {
	if !r.HasMax {
		return appendU32(append(b, 0), r.Min)
	}
	return appendU32(appendU32(append(b, 1), r.Min), r.Max)
}

func (p *writer) tables(b []byte) []byte {
	d := p.d
	own := d.tables[d.importedTables:]
	if len(own) == 0 {
		return p.same(b, secTable)
	}
	growing := uint64(0)
	for i := range own {
		if d.grown[d.importedTables+i] {
			growing++
		}
	}
	out := count(len(own))
	for i, t := range own {
		if d.grown[d.importedTables+i] {
			most := uint64(t.Min) + (uint64(p.o.TableElements)-d.tableMin)/growing
			if !t.HasMax || uint64(t.Max) > most {
				t.Max, t.HasMax = uint32(most), true
			}
		}
		out = appendRange(append(out, byte(t.Elem)), t.Range)
	}
	return appendSection(b, secTable, out)
}

func (p *writer) memory(b []byte) []byte {
	d := p.d
	if len(d.memories) == 0 || d.importedMemories > 0 {
		return p.same(b, secMemory)
	}
	r := d.memories[0]
	if p.o.MemoryPages > 0 && (!r.HasMax || r.Max > p.o.MemoryPages) {
		r.Max, r.HasMax = min(p.o.MemoryPages, 65536), true
	}
	return appendSection(b, secMemory, appendRange(count(1), r))
}

func (p *writer) globals(b []byte) []byte {
	d := p.d
	s := d.sections[secGlobal]
	w := p.rewriter()
	n := len(d.globals) - d.importedGlobals
	if s.end > s.start {
		r := reader{b: d.b, pos: s.start, end: s.end}
		r.u32()
		r.pos, w.from = s.start, r.pos
		d.globalSection(&r, w)
		w.rest(s.end)
	}
	if p.m.on {
		n++
		w.out = append(w.out, byte(I64), 1, opI64Const, 0, opEnd)
	}
	if p.m.marks {
		n++
		w.out = append(w.out, byte(I32), 1, opI32Const, 0, opEnd)
	}
	if n == 0 {
		return b
	}
	return appendSection(b, secGlobal, count(n), w.out)
}

func (p *writer) rewriter() *rewriter { return &rewriter{src: p.d.b, shift: p.m.shift} }

func (p *writer) exports(b []byte) []byte {
	d, m := p.d, p.m
	n := 0
	var out []byte
	add := func(name string, kind External, index uint32) {
		n++
		out = appendU32(append(appendName(out, name), byte(kind)), index)
	}
	for _, e := range d.exports {
		if e.kind == Func {
			e.index = m.shift.of(e.index)
		}
		add(string(e.name), e.kind, e.index)
	}
	if m.on {
		add(LeftExport, Global, m.counter)
	}
	if m.marks {
		add(WrittenExport, Global, m.written)
	}
	if d.start >= 0 {
		add(StartExport, Func, m.shift.of(uint32(d.start)))
	}
	if len(d.memories) > 0 {
		add(MemoryExport, Memory, 0)
	}
	i := 0
	for g := d.importedGlobals; g < len(d.globals); g++ {
		if d.globals[g].Mutable {
			add(GlobalExport(i), Global, uint32(g))
			i++
		}
	}
	if n == 0 {
		return b
	}
	return appendSection(b, secExport, count(n), out)
}

func (p *writer) elements(b []byte) []byte {
	s := p.d.sections[secElement]
	if s.end == s.start {
		return b
	}
	w := p.rewriter()
	w.from = s.start
	r := reader{b: p.d.b, pos: s.start, end: s.end}
	p.d.elementSection(&r, w)
	w.rest(s.end)
	return appendSection(b, secElement, w.out)
}

// names writes a name section of the module's and the functions' names, which
// is what traps are explained with; names of other things and all other custom
// sections are left out, as their indices and offsets no longer hold.
func (p *writer) names(b []byte) []byte {
	d, m := p.d, p.m
	var module, funcs []byte
	n := 0
	add := func(i uint32, name []byte) {
		n++
		funcs = appendU32(appendU32(funcs, i), uint32(len(name)))
		funcs = append(funcs, name...)
	}
	yield := func() { add(m.imported, []byte(YieldModule+"."+YieldName)) }
	placed := !m.on
	if d.names != (span{}) {
		r := reader{b: d.b, pos: d.names.start, end: d.names.end}
		d.nameSection(&r, func(i int, name []byte) {
			if i < 0 {
				module = appendU32(nil, uint32(len(name)))
				module = append(module, name...)
				return
			}
			if i >= len(d.funcs) {
				return
			}
			if !placed && uint32(i) >= m.imported {
				yield()
				placed = true
			}
			add(m.shift.of(uint32(i)), name)
		})
	}
	if !placed {
		yield()
	}
	for i, r := range m.used {
		add(m.first+uint32(i), []byte(Prefix+routineNames[r]))
	}
	if module == nil && n == 0 {
		return b
	}
	parts := [][]byte{appendName(nil, "name")}
	if module != nil {
		parts = append(parts, appendSection(nil, namesModule, module))
	}
	if n > 0 {
		parts = append(parts, appendSection(nil, namesFuncs, count(n), funcs))
	}
	return appendSection(b, secCustom, parts...)
}
