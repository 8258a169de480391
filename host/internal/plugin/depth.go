package plugin

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/tetratelabs/wazero/api"

	"wasmhost/host/event"
)

// maxStack is how much stack the calls of a guest may take, one inside the
// other. wazero alone lets it grow to some 80 MB, by copying it to a place twice
// as large again and again: the whole process stands still for a tenth of a
// second then. Browsers allow about 1 MiB, other runtimes half of that.
const maxStack = 16 << 20

// stackTops are the offsets, in wazero's implementations of api.Function, of the
// address at which the stack of their call begins; -1: there is none. It is no
// part of wazero's interface: without it, wazero's own limit is the only one, and
// a test fails.
var stackTops sync.Map // reflect.Type → int

func stackTopOf(t reflect.Type) int {
	if at, ok := stackTops.Load(t); ok {
		return at.(int)
	}
	at := -1
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		if f, ok := t.Elem().FieldByName("stackTop"); ok && f.Type.Kind() == reflect.Uintptr {
			at = int(f.Offset)
		}
	}
	stackTops.Store(t, at)
	return at
}

// depth is how much stack the call of f uses at a place of it, 0 when that
// cannot be known.
func depth(f api.Function, place *uint64) uintptr {
	if f == nil {
		return 0
	}
	v := reflect.ValueOf(f)
	at := stackTopOf(v.Type())
	if at < 0 {
		return 0
	}
	top, here := *(*uintptr)(unsafe.Add(v.UnsafePointer(), at)), uintptr(unsafe.Pointer(place))
	if here > top {
		return 0
	}
	return top - here
}

// mustNotBeDeep ends the guest when its calls, one inside the other, take too
// much stack. place is in the stack, where a host function finds its arguments.
// Between two looks a guest can take a few MB more: a step takes some bytes.
func (in *instance) mustNotBeDeep(place *uint64) {
	if depth(in.running, place) <= maxStack {
		return
	}
	panic(&event.Error{Class: event.System, Code: codeTrap, OutcomeUnknown: true,
		Message: "the plugin trapped: stack overflow: its calls, one inside the other, take more than " + size(maxStack) + " of stack"})
}
