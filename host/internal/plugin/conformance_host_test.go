package plugin

import (
	"bytes"
	"context"

	extism "github.com/extism/go-sdk"
)

// programFunctions are the functions of an embedding program that go-sdk's own
// tests offer to a module of its corpus; other modules get none.
func programFunctions(module string) []extism.HostFunction {
	ptr := []extism.ValueType{extism.ValueTypePTR}
	text := func(change func([]byte) []byte) extism.HostFunctionStackCallback {
		return func(_ context.Context, p *extism.CurrentPlugin, stack []uint64) {
			b, err := p.ReadBytes(stack[0])
			if err != nil {
				panic(err)
			}
			if stack[0], err = p.WriteBytes(change(b)); err != nil {
				panic(err)
			}
		}
	}
	greet := func(mark string) extism.HostFunctionStackCallback {
		return text(func(b []byte) []byte { return append([]byte(mark), b...) })
	}
	in := func(namespace string, f extism.HostFunction) extism.HostFunction {
		f.SetNamespace(namespace)
		return f
	}
	switch module {
	case "host":
		return []extism.HostFunction{extism.NewHostFunctionWithStack("mult", func(_ context.Context, _ *extism.CurrentPlugin, stack []uint64) {
			stack[0] = extism.EncodeI32(extism.DecodeI32(stack[0]) * extism.DecodeI32(stack[1]))
		}, []extism.ValueType{extism.ValueTypePTR, extism.ValueTypePTR}, ptr)}
	case "host_memory":
		return []extism.HostFunction{in("host", extism.NewHostFunctionWithStack("to_upper", text(bytes.ToUpper), ptr, ptr))}
	case "host_multiple":
		return []extism.HostFunction{extism.NewHostFunctionWithStack("hostGreenMessage", greet("green: "), ptr, ptr),
			extism.NewHostFunctionWithStack("hostPurpleMessage", greet("purple: "), ptr, ptr)}
	case "nested.c.instr":
		var all []extism.HostFunction
		for _, name := range []string{"instrument_enter", "instrument_exit", "instrument_memory_grow"} {
			all = append(all, in("dylibso_observe", extism.NewHostFunctionWithStack(name,
				func(context.Context, *extism.CurrentPlugin, []uint64) {}, []extism.ValueType{extism.ValueTypeI32}, nil)))
		}
		return all
	}
	return nil
}
