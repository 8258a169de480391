package plugin

import (
	"context"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const (
	// envModule is what guests import: the kernel, an instance for each of them.
	envModule = "extism:host/env"
	// kernelImports is what the kernel imports: the functions of Go, the same for
	// all.
	kernelImports = "wasmhost:env"
)

// envFunction is one function of extism:host/env. Without a call it is one of
// kernel.wat's own. The others find their instance in the call's context; what
// they cannot do they panic with, as an *event.Error, which ends the call.
type envFunction struct {
	name            string
	params, results []api.ValueType
	call            func(in *instance, stack []uint64)
}

var (
	none      = []api.ValueType{}
	i32       = []api.ValueType{api.ValueTypeI32}
	i64       = []api.ValueType{api.ValueTypeI64}
	i64i32    = []api.ValueType{api.ValueTypeI64, api.ValueTypeI32}
	i64i64    = []api.ValueType{api.ValueTypeI64, api.ValueTypeI64}
	i32i64i64 = []api.ValueType{api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeI64}
)

// envFunctions is the whole ABI, those included that only old PDKs use.
var envFunctions = []envFunction{
	{"alloc", i64, i64, nil},
	{"free", i64, none, nil},
	{"length", i64, i64, nil},
	{"length_unsafe", i64, i64, nil},
	{"load_u8", i64, i32, nil},
	{"load_u64", i64, i64, nil},
	{"store_u8", i64i32, none, nil},
	{"store_u64", i64i64, none, nil},
	{"input_offset", none, i64, nil},
	{"input_length", none, i64, nil},
	{"input_load_u8", i64, i32, nil},
	{"input_load_u64", i64, i64, nil},
	{"input_set", i64i64, none, nil},
	{"output_set", i64i64, none, nil},
	{"output_offset", none, i64, nil},
	{"output_length", none, i64, nil},
	{"error_set", i64, none, nil},
	{"error_get", none, i64, nil},
	{"memory_bytes", none, i64, nil},

	{"reset", none, none, func(in *instance, _ []uint64) { in.kernel.reset() }},
	{"config_get", i64, i64, func(in *instance, s []uint64) { s[0] = in.configGet(s[0]) }},
	{"var_get", i64, i64, func(in *instance, s []uint64) { s[0] = in.varGet(s[0]) }},
	{"var_set", i64i64, none, func(in *instance, s []uint64) { in.varSet(s[0], s[1]) }},
	{"http_request", i64i64, i64, func(in *instance, s []uint64) { s[0] = in.httpRequest(s[0], s[1]) }},
	{"http_status_code", none, i32, func(in *instance, s []uint64) { s[0] = uint64(uint32(in.http.status)) }},
	{"http_headers", none, i64, func(in *instance, s []uint64) { s[0] = in.httpHeaders() }},
	{"log_trace", i64, none, func(in *instance, s []uint64) { in.logBlock(levelDebug, s[0]) }},
	{"log_debug", i64, none, func(in *instance, s []uint64) { in.logBlock(levelDebug, s[0]) }},
	{"log_info", i64, none, func(in *instance, s []uint64) { in.logBlock(levelInfo, s[0]) }},
	{"log_warn", i64, none, func(in *instance, s []uint64) { in.logBlock(levelWarn, s[0]) }},
	{"log_error", i64, none, func(in *instance, s []uint64) { in.logBlock(levelError, s[0]) }},
	// 0 is trace: everything is taken. The largest number is off.
	{"get_log_level", none, i32, func(in *instance, s []uint64) {
		s[0] = 0
		if !in.log.wanted() {
			s[0] = math.MaxInt32
		}
	}},
}

// envSignatures are the types of envFunctions, by name.
var envSignatures = func() map[string]string {
	m := make(map[string]string, len(envFunctions))
	for _, f := range envFunctions {
		m[f.name] = signature(f.params, f.results)
	}
	return m
}()

// kernelFunctions are what kernel.wat needs besides.
var kernelFunctions = []envFunction{
	{"reach", i64i64, none, func(in *instance, s []uint64) {
		if err := in.kernel.reach(s[0], s[1]); err != nil {
			panic(err)
		}
	}},
	{"wipe", i64i64, none, func(in *instance, s []uint64) { in.wipe(s[0], s[1]) }},
	{"outside", i32i64i64, none, func(in *instance, s []uint64) {
		if what := uint32(s[0]); what == 5 || what == 6 { // of the input
			panic(badHandle("%s: %d bytes at %d lie outside of the input of %d bytes", [...]string{"input_load_u8", "input_load_u64"}[what-5], s[2], s[1], in.kernel.get(atInputLength)))
		}
		panic(outside(uint32(s[0]), s[1], s[2]))
	}},
}

// linkEnv gives rt the functions of Go that the kernel hands on to guests, and
// returns the kernel's code.
func linkEnv(ctx context.Context, rt wazero.Runtime) (wazero.CompiledModule, error) {
	b := rt.NewHostModuleBuilder(kernelImports)
	for _, f := range append(kernelFunctions, envFunctions...) {
		if f.call == nil {
			continue
		}
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			in := instanceOf(ctx)
			in.mustGoOn() // a few of the guest's steps can be a lot of work here
			f.call(in, stack)
		}), f.params, f.results).Export(f.name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return nil, err
	}
	return rt.CompileModule(ctx, kernelCode)
}
