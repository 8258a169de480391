package module

// gapBytes is the longest run of zeros that is written out to join two data
// segments: about what a segment costs the runtime in memory.
const gapBytes = 64

// data writes the data segments, joined where nobody can tell: a Go program
// has tens of thousands of them, each with a cost at every instantiation.
//
// Two active segments may be joined when the memory is the module's own, so
// that it is zero before the first and nobody sees it in between; when all of
// their bytes lie inside the memory's minimal size, so that neither can fail;
// when the second starts behind every byte written so far; and when no
// instruction names segments by number.
func (p *writer) data() (out []byte, n int) {
	d := p.d
	section := d.sections[secData]
	join := d.importedMemories == 0 && len(d.memories) > 0 && !d.use.memoryInit && !d.use.dataDrop
	if !join {
		if len(d.data) == 0 {
			return nil, 0
		}
		return d.entries(secData), len(d.data)
	}
	out = make([]byte, 0, section.end-section.start)
	size := uint64(d.memories[0].Min) << 16
	high := uint64(0) // behind the highest byte written so far
	var run []byte    // the joined bytes; they go to runAt
	var runAt uint32  // where the run goes
	running := false  // there is a run
	flush := func() {
		if running {
			out = append(out, 0)
			out = append(appendSigned(append(out, opI32Const), int64(int32(runAt))), opEnd)
			out = append(appendU32(out, uint32(len(run))), run...)
			n++
		}
		run, running = run[:0], false
	}
	for i := range d.data {
		s := &d.data[i]
		init := d.b[s.init:s.end]
		end := uint64(s.at) + uint64(len(init))
		if s.passive || !s.known || end > size {
			// It stays as it is; what it writes, if anything, is not known.
			flush()
			out = append(out, d.b[s.start:s.end]...)
			n++
			if !s.passive {
				high = 1 << 33
			}
			continue
		}
		runEnd := uint64(runAt) + uint64(len(run))
		if running && runEnd == high && uint64(s.at) >= high && uint64(s.at)-high <= gapBytes {
			for range uint64(s.at) - high {
				run = append(run, 0)
			}
			run = append(run, init...)
		} else {
			flush()
			run, runAt, running = append(run, init...), s.at, true
		}
		high = max(high, end)
	}
	flush()
	return out, n
}
