package pluginsdk

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strconv"
)

// Run is the body of an export: it reads the input, calls handle and writes its
// output or its error. The number it returns is the export's own: 0 succeeded.
//
// In and Out are read and written as JSON, except string, []byte and
// json.RawMessage, which are the bytes as they are. Empty input gives the zero
// In. Input that does not fit fails with class permanent and code "bad_input",
// a panic in handle with class system and code "panic".
func Run[In, Out any](handle func(Call, In) (Out, error)) int32 {
	return RunRaw(func(c Call, input []byte) ([]byte, error) {
		in, err := decode[In](input)
		if err != nil {
			return nil, err
		}
		out, err := handle(c, in)
		if failed(err) {
			return nil, err
		}
		return encode(out)
	})
}

// RunRaw is [Run] for a handler of bytes. A module that uses nothing else holds
// no JSON and is about a third smaller.
func RunRaw(handle func(Call, []byte) ([]byte, error)) int32 {
	h := currentHost()
	if err := serve(CallOn(h), handle); err != nil {
		h.Fail(errorText(asError(err)))
		return 1
	}
	return 0
}

// serve does one call. A panic, of the handler or of a host that has no memory
// left for the output, becomes an error, and its stack goes to the log.
func serve(c Call, handle func(Call, []byte) ([]byte, error)) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		message := "the plugin panicked: " + panicText(p)
		c.Log(LevelError, message+"\n"+stack())
		e := System("panic", message)
		if cause, ok := p.(error); ok {
			e.Cause = cause
		}
		err = e
	}()
	output, err := handle(c, c.of.host.Input())
	if failed(err) {
		return err
	}
	c.of.host.Output(output)
	if len(c.of.warnings) > 0 {
		c.of.host.Fail(warningText(c.of.warnings))
	}
	return nil
}

// failed is err != nil for handlers that return a nil *Error as an error too.
func failed(err error) bool {
	e, ok := err.(*Error)
	return err != nil && (!ok || e != nil)
}

func panicText(p any) string {
	switch p := p.(type) {
	case error:
		return p.Error()
	case string:
		return p
	case int:
		return strconv.Itoa(p)
	}
	return "(a value that is neither an error nor a text)"
}

// encode goes by the type that the handler names, not by the value in it: an
// any that holds the text 123 is the JSON string "123", and no number.
func encode[Out any](out Out) ([]byte, error) {
	switch out := any(&out).(type) {
	case *string:
		return []byte(*out), nil
	case *[]byte:
		return *out, nil
	case *json.RawMessage:
		return *out, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the output is no HTML page
	if err := e.Encode(out); err != nil {
		return nil, Permanent("bad_output", "the output cannot be written as JSON: "+err.Error()).Because(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// stack is where the panic came from, cut to what a log takes.
func stack() string {
	b := make([]byte, 8<<10)
	return string(b[:runtime.Stack(b, false)])
}
