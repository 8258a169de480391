package plugin

import (
	"bytes"
	"io"

	"wasmhost/host/event"
)

// stdio is the three standard streams of an instance. A WASI guest reads its
// input and writes its output here; what an Extism guest prints goes to the
// log, as does the standard error of both.
type stdio struct {
	in     *instance
	stdin  input
	stdout stream
	stderr stream
}

type input struct {
	in *instance
	bytes.Reader
}

// Read implements io.Reader.
func (i *input) Read(p []byte) (int, error) {
	i.in.mustGoOn()
	return i.Reader.Read(p)
}

// begin empties all three. What is written until input is called goes to the
// log: it belongs to no call.
func (s *stdio) begin() {
	s.stdout = stream{in: s.in, line: s.stdout.line[:0]}
	s.stderr = stream{in: s.in, line: s.stderr.line[:0], keep: true}
	s.stdin.in = s.in
	s.stdin.Reset(nil)
}

// input is what a WASI guest reads; its output is collected from now on.
func (s *stdio) input(in []byte, limit int64) {
	s.stdout.flush()
	s.stdin.Reset(in)
	s.stdout.output, s.stdout.limit = &bytes.Buffer{}, limit
}

func (s *stdio) end() {
	s.stdout.flush()
	s.stderr.flush()
}

func (s *stdio) output() []byte { return s.stdout.output.Bytes() }

// lastError is the last line of the standard error that says something.
func (s *stdio) lastError() string {
	s.stderr.flush()
	return s.stderr.last
}

// maxLine is where a line without an end is cut.
const maxLine = 8 << 10

// stream is one output stream: collected, or logged line by line.
type stream struct {
	in     *instance
	output *bytes.Buffer // nil: to the log
	limit  int64
	line   []byte
	keep   bool
	last   string
}

var _ io.Writer = (*stream)(nil)

func (s *stream) Write(p []byte) (int, error) {
	if s.in.ctx == nil { // closing an instance flushes nothing any more
		return len(p), nil
	}
	s.in.mustGoOn()
	if s.output != nil {
		if int64(s.output.Len()+len(p)) > s.limit {
			e := fault(event.System, codeOutput, "the output is longer than limits.output allows: %s", size(s.limit))
			e.OutcomeUnknown = true
			panic(e)
		}
		return s.output.Write(p)
	}
	for rest, turn := p, 1; len(rest) > 0; turn++ {
		if turn%64 == 0 { // a guest can write megabytes of lines at once
			s.in.giveWay()
		}
		n := min(len(rest), maxLine-len(s.line))
		end := bytes.IndexByte(rest[:n], '\n')
		if end < 0 {
			s.line = append(s.line, rest[:n]...)
			rest = rest[n:]
		} else {
			s.line = append(s.line, rest[:end]...)
			rest = rest[end+1:]
		}
		if end >= 0 || len(s.line) >= maxLine {
			s.flush()
		}
	}
	return len(p), nil
}

func (s *stream) flush() {
	if len(s.line) == 0 {
		return
	}
	line := string(s.line)
	s.line = s.line[:0]
	if s.keep {
		if text := printable(line); text != "" {
			s.last = text
		}
	}
	s.in.log.write(levelInfo, line)
}
