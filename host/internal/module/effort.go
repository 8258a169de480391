package module

// effort estimates how long the compiler below will take for a function, in
// nanoseconds on the machine it was measured on, rather too high than too low.
// wazero's compiler cannot be interrupted, and several of its passes are not
// linear: it walks up the dominator tree from every block, follows every read
// of a local back through the blocks before it, and compares all values of all
// branches with one another where loops begin. A kilobyte of code can keep it
// busy for seconds, so what counts is not size but these.
//
// The measures below follow the structure of the code as wazero's frontend
// does: a block here is a basic block there.
type effort struct {
	ns     int64
	height int32 // values on the operand stack
	dom    int32 // depth of the present block in the dominator tree; -1: not reachable
	chain  int32 // blocks since the last one with several ways in
	frames []effortFrame

	blocks    int
	headers   float64 // loops
	depth     int32   // loops around this place
	deepest   int32
	joins     float64 // what values that differ where paths meet cost, at most
	sets      int32   // writes of locals so far
	distinct  int32   // locals that are used
	seen      []int32 // by local: the function it was last seen in
	number    []int32 // by local: its number among those used
	function  int32
	metered   bool
	size      int64 // of the body in bytes
	reloads   int64 // mutable globals that are read again after each call
	live      *liveness
	structure bool // note the control flow in live
}

// effortFrame is an open block.
type effortFrame struct {
	op      byte
	base    int32 // operand stack below its parameters
	params  int32
	results int32
	dom     int32 // least depth that branches to its end came from; -1: none came
	edges   int32 // branches to its label
	entry   int32 // depth at its start
	sets    int32
	label   int32 // liveness: block of its label, -1: not made
	from    int32 // liveness: block that an `if` ends
}

// What things cost, in nanoseconds; measured, see TestEffortIsNotTooLow.
const (
	costByte     = 100    // decoding and validating
	costPlain    = 1_000  // an instruction
	costCall     = 5_000  // a call
	costMoved    = 1_500  // a value passed by a call, a branch or a block
	costReload   = 350    // a mutable global after a call
	costIndirect = 50_000 // call_indirect: its checks have exits of their own
	costAccess   = 2_500  // a memory access
	costDivision = 13_000 // a division or a conversion that may trap
	costBlock    = 5_000  // a block
	costWalk     = 12     // a step up the dominator tree
	costLookup   = 60     // a step back to where a local was set
	costEdge     = 3      // a branch seen while another to the same label is noted
	costLive     = 500    // a value alive at the start of a block
	costPhi      = 4      // an argument compared with another, once
	costFunction = 30_000
	costType     = 6_000
	costImport   = 5     // an import before the one that is called
	costEntry    = 1_000 // an import, export, global or element
	costLocal    = 30    // a local declared
	costTableOp  = 25_000
	costSIMD     = 3_000
	costBulk     = 8_000
	quickPortion = 2       // quick estimates above 1/quickPortion of the rest are made precise
	liveWords    = 2       // the closer look may take so many words for a byte of code,
	liveWordsMin = 1 << 16 // and these
)

// start begins a function.
func (e *effort) start(locals, size uint32, results int) {
	e.function++
	if int(locals) > len(e.seen) {
		e.seen = make([]int32, locals)
		e.number = make([]int32, locals)
	}
	*e = effort{
		frames: e.frames[:0], seen: e.seen, number: e.number, function: e.function,
		size: int64(size), metered: e.metered, reloads: e.reloads, live: e.live, structure: e.structure,
	}
	e.ns = costFunction + costLocal*int64(locals) + costByte*int64(size)
	if e.structure {
		e.live.start()
	}
	e.frames = append(e.frames, effortFrame{op: opBlock, results: int32(results), dom: -1, label: -1})
	e.block(0, 0)
	if e.metered {
		e.block(1, 1)
		e.block(1, 1)
		e.ns += costCall
		e.dom = 1
	}
}

// block counts a block with so many ways in at a depth of the dominator tree.
func (e *effort) block(dom int32, edges int64) {
	e.blocks++
	e.ns += costBlock + costWalk*int64(dom)*(1+edges) + costLive*int64(e.height)
	e.dom = dom
}

// push and pop keep the height of the operand stack.
func (e *effort) push(n int) { e.height += int32(n) }

func (e *effort) pop(n int) {
	e.height = max(e.height-int32(n), e.frames[len(e.frames)-1].base)
}

// plain counts an instruction with its effect on the operand stack.
func (e *effort) plain(ns int64, effect int) {
	if e.dom < 0 {
		return
	}
	e.ns += ns
	if effect > 0 {
		e.push(effect)
	} else if effect < 0 {
		e.pop(-effect)
	}
}

// local counts an access to a local.
func (e *effort) local(l uint32, set bool) {
	if e.dom < 0 {
		return
	}
	if e.seen[l] != e.function {
		e.seen[l] = e.function
		e.number[l] = e.distinct
		e.distinct++
	}
	if set {
		e.sets++
	} else {
		e.ns += costLookup * int64(e.chain)
	}
	if e.structure {
		e.live.access(e.number[l], set)
	}
}

// open begins a block, loop or if.
func (e *effort) open(op byte, params, results int) {
	if op == opIf {
		e.plain(costPlain, -1)
	}
	f := effortFrame{
		op: op, base: max(e.height-int32(params), 0), params: int32(params), results: int32(results),
		dom: -1, entry: e.dom, sets: e.sets, label: -1, from: -1,
	}
	if e.dom >= 0 {
		e.ns += costMoved * int64(params)
		switch op {
		case opLoop:
			e.headers++
			e.depth++
			e.deepest = max(e.deepest, e.depth)
			e.block(e.dom+1, 2)
			e.ns += costPhi * int64(e.depth+2) * int64(params) * int64(params) * 6
			if e.metered {
				e.ns += costCall + e.reloads*costReload
				e.block(e.dom+1, 1)
				e.block(e.dom, 1)
			}
			e.chain = 0
			if e.structure {
				f.label = e.live.next(true)
			}
		case opIf:
			if e.structure {
				f.from = e.live.cur
				e.live.next(false)
			}
			e.block(e.dom+1, 1)
			e.chain++
		}
	}
	e.frames = append(e.frames, f)
}

// otherwise begins the else part of an if.
func (e *effort) otherwise() {
	f := &e.frames[len(e.frames)-1]
	e.leave(f)
	f.op = opElse
	e.dom = -1
	e.height = f.base + f.params
	if f.entry >= 0 {
		e.block(f.entry+1, 1)
		e.chain++
		if e.structure {
			e.live.branch(f.from)
		}
	}
}

// leave goes from the present block to the end of f.
func (e *effort) leave(f *effortFrame) {
	if e.dom < 0 {
		return
	}
	e.edge(f)
	if e.structure {
		if f.label < 0 {
			f.label = e.live.allocate()
		}
		e.live.edge(e.live.cur, f.label)
	}
}

// edge counts a way to a label.
func (e *effort) edge(f *effortFrame) {
	arity := f.results
	if f.op == opLoop {
		arity = f.params
	} else if f.dom < 0 || e.dom < f.dom {
		f.dom = e.dom
	}
	f.edges++
	e.ns += costEdge*int64(f.edges) + costMoved*int64(arity) + costWalk*int64(e.dom)
}

// close ends the innermost block.
func (e *effort) close() {
	f := &e.frames[len(e.frames)-1]
	switch {
	case f.op == opLoop:
		if f.entry >= 0 {
			e.depth--
		}
	default:
		if f.op == opIf && f.entry >= 0 { // the else part that is not there
			dom := e.dom
			if e.structure {
				if f.label < 0 {
					f.label = e.live.allocate()
				}
				e.live.edge(f.from, f.label)
			}
			e.leave(f)
			e.dom = f.entry
			e.edge(f)
			e.dom = dom
			e.blocks++
			e.ns += costBlock + costWalk*2*int64(f.entry)
		} else {
			e.leave(f)
		}
		e.dom = -1
		if f.dom >= 0 {
			e.height = f.base
			e.block(f.dom+1, 0)
			e.height += f.results
			if f.edges > 1 {
				e.chain = 0
				k := float64(min(e.sets-f.sets, e.distinct) + f.results)
				e.joins += k * k * float64(f.edges)
			} else {
				e.chain++
			}
			if e.structure {
				e.live.cur = f.label
				if f.edges > 1 {
					e.live.join(f.label, e.sets-f.sets, f.edges)
				}
			}
		}
	}
	e.height = f.base + f.results
	e.frames = e.frames[:len(e.frames)-1]
	if len(e.frames) == 0 {
		e.finish()
	}
}

// branch counts one way out of depth frames, from the present block.
func (e *effort) branch(depth uint32) {
	if e.dom < 0 {
		return
	}
	f := &e.frames[len(e.frames)-1-int(depth)]
	e.edge(f)
	if e.structure {
		if f.label < 0 {
			f.label = e.live.allocate()
		}
		e.live.edge(e.live.cur, f.label)
		if f.op == opLoop {
			e.live.edges[f.label]++
		}
	}
}

// conditional goes on behind a branch that may not be taken; split is how many
// blocks the compiler puts on its ways.
func (e *effort) conditional() {
	if e.dom < 0 {
		return
	}
	if e.structure {
		e.live.branch(e.live.cur)
	}
	e.block(e.dom+1, 1) // on the way out
	e.block(e.dom, 1)   // behind
	e.chain++
}

// inline counts n blocks, one behind the other, that an instruction becomes.
func (e *effort) inline(n int) {
	for range n {
		if e.dom >= 0 {
			e.block(e.dom+1, 1)
			e.chain++
		}
	}
}

// split counts the block on the way of one target of a branch table.
func (e *effort) split() {
	if e.dom >= 0 {
		dom := e.dom
		e.block(dom+1, 1)
		e.dom = dom
	}
}

// stop ends the present block.
func (e *effort) stop() {
	e.dom = -1
	e.height = e.frames[len(e.frames)-1].base
}

// call counts a call that takes and returns values.
func (e *effort) call(params, results int) {
	if e.dom < 0 {
		return
	}
	e.ns += costCall + costMoved*int64(params+results) + costReload*e.reloads
	e.pop(params)
	e.push(results)
}

// finish adds what depends on the whole function: from the closer look when it
// was taken and came to an end, otherwise a bound that takes every local for
// alive everywhere.
func (e *effort) finish() {
	if e.structure {
		if ns, ok := e.live.cost(e.deepest); ok {
			e.ns += ns
			return
		}
	}
	e.ns += e.quick()
}

func (e *effort) quick() int64 {
	l := float64(e.distinct)
	rounds := float64(e.deepest) + 2
	return nanoseconds(costPhi*rounds*(e.headers*l*l*3+e.joins) + costLive*l*float64(e.blocks))
}

// nanoseconds keeps what hostile code can come to within bounds.
func nanoseconds(f float64) int64 { return int64(min(f, 1<<60)) }

// rough says that the quick bound is too large a part of the estimate to be
// left as it is, and that a closer look is worth its memory.
func (e *effort) rough() bool {
	q := e.quick()
	words := int64(e.blocks) * int64((e.distinct+63)/64)
	return q > (e.ns-q)/quickPortion && words <= liveWordsMin+liveWords*e.size
}
