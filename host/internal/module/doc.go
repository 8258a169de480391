// Package module reads WebAssembly binaries and rewrites them so that they are
// safe to compile, can be stopped, are counted, capped and can be reset. It
// knows the binary format and nothing else: no runtime, no ABI of guests, no
// files but its own cache. It imports nothing of the module it lives in.
//
// # Check
//
// Check decodes a module and refuses what passes a limit, breaks the format or
// needs a feature that is not run here. The compiler below (wazero) allocates
// from declared counts before it reads, so nothing may reach it unchecked; and
// it can still panic on bytes that pass, so its caller keeps a recover.
//
// # Prepare: what the host finds in a prepared module
//
// All names added begin with Prefix; modules that use such names themselves
// are refused.
//
//   - Import YieldModule, YieldName: func(left i64) -> i64. Called when a slice
//     of steps is used up. left is below zero: by so much the slice was
//     overdrawn, at most by one path or one piece of a bulk operation. The result is the size of the next slice and must not be
//     negative; after a negative one the guest yields again at its next check.
//     To end the call the host panics, as with any wazero host function. The
//     function may use the module it is called from only by its globals and
//     memory: guest code must not be entered again.
//   - Export LeftExport: global (mut i64), the steps that are left in the
//     slice; 0 after instantiation. The host sets it before a call to the
//     slice it grants, and after the call has used (granted - value) steps of
//     the last slice. Only the code of the module itself counts into it.
//   - Export StartExport: func() -> (), there when Info.Start is true. It is the
//     module's start function, which instantiation no longer runs. The host
//     calls it first, under the deadline and limits of a call.
//   - Export MemoryExport: the module's memory, when it has one.
//   - Exports GlobalExport(0) … GlobalExport(Info.Reset.Globals-1): the mutable
//     globals that the module defines. To take an instance back to an earlier
//     state: write their values back, and memory; nothing else changes unless
//     WrittenExport says so.
//   - Export WrittenExport: global (mut i32), there when Info.Reset.WritesTables
//     or DropsSegments. The module sets it to 1 before it changes a table or
//     drops a segment. The host sets it to 0 after it took its snapshot; an
//     instance that has 1 afterwards cannot be reset by memory and globals.
//
// # Steps
//
// A step is one instruction; block, loop, else, end and nop are none, a branch
// or return that moves n values takes n more, a call takes 16 and one for each
// value it passes or returns. Paths are paid for before they run: a function at
// its entry for the longest path through it without its loops, a loop at each
// turn for the longest path through its body without inner loops. The 16 steps
// of a call pay for small functions too: those of no more than 16 steps outside
// their loops, and without calls there, are not checked at their entry. So the
// count never falls short of what was executed, and is the same in every run
// with the same input. Bulk operations cost a step more for 16 bytes or 2 table
// elements; memory.grow, when it succeeds, for 16 bytes. Long fills and copies
// are done in pieces of 256 KiB with a check between them.
//
// Ordinary code makes some 5 to 10 of these steps in a nanosecond, because
// whole paths are paid for; code that waits for memory a hundred times less. A
// slice of 1,000,000 is a few tenths of a millisecond of the former. Hosts do
// well to measure the time between two yields and to double or halve the slice
// they grant, between 100,000 and some millions: each yield costs a call into
// the host.
//
// # What metering does not bound
//
// Depth: wazero lets the stack of a call grow to 400 MB and then fails with a
// stack overflow; it takes some 100 MB and a fraction of a second to get
// there, with a check at every function entry on the way, where a host may look
// how deep the call is and end it. Time in imported
// functions: the host's own affair.
package module

import "strconv"

// The names a prepared module uses. See the package comment.
const (
	YieldModule   = Prefix + "meter"
	YieldName     = "yield"
	LeftExport    = Prefix + "left"
	StartExport   = Prefix + "start"
	MemoryExport  = Prefix + "memory"
	WrittenExport = Prefix + "written"
)

// GlobalExport is the name of the i-th mutable global the module defines.
func GlobalExport(i int) string { return Prefix + "global." + strconv.Itoa(i) }
