package module

import "time"

// Limits bound what a module may ask of the compiler below, which trusts
// declared counts and cannot be interrupted. A zero field means the default.
// Found values above a limit are refused with an *Error that names the field.
type Limits struct {
	ModuleBytes int // size of the whole file; default 64 MiB
	CodeBytes   int // all function bodies together; default 32 MiB
	Types       int // function types; default 50,000
	Params      int // parameters of a type, and results of a type; default 1,000
	Imports     int // imports; default 10,000
	Functions   int // functions, imported ones included; default 200,000
	Tables      int // tables, imported ones included; default, and at most, 100
	TableMin    int // elements the tables start with, together; default 1,000,000
	MemoryMin   int // pages (64 KiB) a memory starts with; default 16,384 (1 GiB)
	Globals     int // globals, imported ones included; default 50,000
	Exports     int // exports; default 50,000
	Elements    int // element segments; default 50,000
	ElementSize int // elements of one segment; default 1,000,000
	Data        int // data segments; default 200,000
	Custom      int // custom sections; default 1,000
	NameBytes   int // length of an import, export or custom section name; default 65,536
	ConstBytes  int // length of a constant expression; default 4,096

	BodyBytes   int // size of one function body; default 1 MiB
	Locals      int // locals of one function, parameters included; default 50,000
	Nesting     int // blocks, loops and ifs inside one another; default 10,000
	BranchTable int // targets of one br_table; default 65,520

	// CompileMillis bounds how long compiling may take, as estimated from the
	// structure of the code, in milliseconds of one core; default 20,000. The
	// estimate was made for wazero on a busy machine, for the worst code there
	// is; for the output of real toolchains it is two to four times the real
	// time. Small modules get less: one part in 25 up to 64 KiB, all of it from
	// 1 MiB on, so that small hostile ones cannot keep a host busy for long.
	CompileMillis int
}

// Defaults returns the limits in force where a field is zero.
func Defaults() Limits {
	return Limits{
		ModuleBytes: 64 << 20,
		CodeBytes:   32 << 20,
		Types:       50_000,
		Params:      1_000,
		Imports:     10_000,
		Functions:   200_000,
		Tables:      100,
		TableMin:    1_000_000,
		MemoryMin:   16_384,
		Globals:     50_000,
		Exports:     50_000,
		Elements:    50_000,
		ElementSize: 1_000_000,
		Data:        200_000,
		Custom:      1_000,
		NameBytes:   65_536,
		ConstBytes:  4_096,
		BodyBytes:   1 << 20,
		Locals:      50_000,
		Nesting:     10_000,
		BranchTable: 65_520,

		CompileMillis: 20_000,
	}
}

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	d := Defaults()
	for _, f := range []struct{ have, def *int }{
		{&l.ModuleBytes, &d.ModuleBytes}, {&l.CodeBytes, &d.CodeBytes}, {&l.Types, &d.Types},
		{&l.Params, &d.Params}, {&l.Imports, &d.Imports}, {&l.Functions, &d.Functions},
		{&l.Tables, &d.Tables}, {&l.TableMin, &d.TableMin}, {&l.MemoryMin, &d.MemoryMin},
		{&l.Globals, &d.Globals}, {&l.Exports, &d.Exports}, {&l.Elements, &d.Elements},
		{&l.ElementSize, &d.ElementSize}, {&l.Data, &d.Data}, {&l.Custom, &d.Custom},
		{&l.NameBytes, &d.NameBytes}, {&l.ConstBytes, &d.ConstBytes}, {&l.BodyBytes, &d.BodyBytes},
		{&l.Locals, &d.Locals}, {&l.Nesting, &d.Nesting}, {&l.BranchTable, &d.BranchTable},
		{&l.CompileMillis, &d.CompileMillis},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	l.Tables = min(l.Tables, maxTables)
	return l
}

// compile is how long a module of so many bytes may take to compile.
func (l Limits) compile(size int) time.Duration {
	const small, large = 64 << 10, 1 << 20
	whole := time.Duration(l.CompileMillis) * time.Millisecond
	part := float64(min(max(size-small, 0), large-small)) / (large - small)
	return whole/25 + time.Duration(float64(whole)*part*24/25)
}
