package module

import "bytes"

// Prefix starts every name that preparation adds to a module, and the module
// name of what it imports. A module that uses such names itself is refused.
const Prefix = "wasmhost:"

func reserved(name []byte) bool { return bytes.HasPrefix(name, []byte(Prefix)) }

// customSection notes a custom section, and checks the name section, which the
// compiler below would read without checking.
func (d *decoded) customSection(r *reader) {
	name := r.name(d.lim.NameBytes)
	if r.err != nil {
		return
	}
	c := customEntry{name: name, payload: span{r.pos, r.end}}
	d.custom = append(d.custom, c)
	switch {
	case string(name) == "name":
		if d.names != (span{}) {
			r.failf(r.pos, "there are two name sections")
			return
		}
		d.names = c.payload
		n := reader{b: d.b, pos: r.pos, end: r.end, what: "name section"}
		d.nameSection(&n, nil)
		if n.err != nil {
			r.fail(n.err)
		}
	case string(name) == "linking" || bytes.HasPrefix(name, []byte("reloc.")):
		r.fail(unsupported(r.pos, r.what, "object-file", "it has a section "+string(name)))
	}
	r.pos = r.end
}

// The subsections of the name section that matter here.
const (
	namesModule = 0
	namesFuncs  = 1
)

// nameSection walks the name section. With visit, it is called for the module
// name (index -1) and each function name.
func (d *decoded) nameSection(r *reader, visit func(index int, name []byte)) {
	for r.pos < r.end && r.err == nil {
		off := r.pos
		id := r.byte()
		size := r.u32()
		if r.err == nil && uint64(size) > uint64(r.left()) {
			r.failf(off, "subsection %d declares %d bytes, %d are left", id, size, r.left())
		}
		if r.err != nil {
			return
		}
		sub := reader{b: r.b, pos: r.pos, end: r.pos + int(size), what: r.what}
		switch {
		case id == namesModule:
			n := sub.name(d.lim.ModuleBytes)
			if visit != nil {
				visit(-1, n)
			}
		case id == 3 || id == 2: // locals, labels: maps of maps
			for range sub.count(2, "functions", "Functions", d.lim.Functions) {
				sub.u32()
				d.nameMap(&sub, nil)
			}
		case id == namesFuncs:
			d.nameMap(&sub, visit)
		case id <= 9: // types, tables, memories, globals, elements, data
			d.nameMap(&sub, nil)
		default: // later additions: nothing below reads them
			sub.pos = sub.end
		}
		if sub.err == nil && sub.pos != sub.end {
			sub.failf(sub.pos, "subsection %d has %d bytes too many", id, sub.left())
		}
		if sub.err != nil {
			r.fail(sub.err)
			return
		}
		r.pos = sub.end
	}
}

func (d *decoded) nameMap(r *reader, visit func(index int, name []byte)) {
	for range r.count(2, "names", "ModuleBytes", d.lim.ModuleBytes) {
		i := r.u32()
		n := r.name(d.lim.ModuleBytes)
		if r.err != nil {
			return
		}
		if visit != nil {
			visit(int(i), n)
		}
	}
}
