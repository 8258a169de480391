package plugin

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const envModule = "extism:host/env"

// envFunction is one function of extism:host/env. It finds its instance in the
// call's context; what it cannot do it panics with, as an *event.Error, which
// ends the call.
type envFunction struct {
	name            string
	params, results []api.ValueType
	call            func(in *instance, b *blocks, stack []uint64)
}

var (
	none   = []api.ValueType{}
	i32    = []api.ValueType{api.ValueTypeI32}
	i64    = []api.ValueType{api.ValueTypeI64}
	i64i32 = []api.ValueType{api.ValueTypeI64, api.ValueTypeI32}
	i64i64 = []api.ValueType{api.ValueTypeI64, api.ValueTypeI64}
)

// envFunctions is the whole ABI, those included that only old PDKs use.
var envFunctions = []envFunction{
	{"alloc", i64, i64, func(_ *instance, b *blocks, s []uint64) {
		offset, err := b.alloc(s[0])
		if err != nil {
			panic(err)
		}
		s[0] = offset
	}},
	{"free", i64, none, func(_ *instance, b *blocks, s []uint64) { b.drop(s[0]) }},
	{"length", i64, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.length(s[0]) }},
	{"length_unsafe", i64, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.length(s[0]) }},
	{"load_u8", i64, i32, func(_ *instance, b *blocks, s []uint64) { s[0] = uint64(b.at("load_u8", s[0], 1)[0]) }},
	{"load_u64", i64, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.loadU64(s[0]) }},
	{"store_u8", i64i32, none, func(_ *instance, b *blocks, s []uint64) { b.at("store_u8", s[0], 1)[0] = byte(s[1]) }},
	{"store_u64", i64i64, none, func(_ *instance, b *blocks, s []uint64) { b.storeU64(s[0], s[1]) }},
	{"input_offset", none, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.in.offset }},
	{"input_length", none, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.in.length }},
	{"input_load_u8", i64, i32, func(_ *instance, b *blocks, s []uint64) { s[0] = uint64(b.input("input_load_u8", s[0], 1)[0]) }},
	{"input_load_u64", i64, i64, func(_ *instance, b *blocks, s []uint64) {
		s[0] = binary.LittleEndian.Uint64(b.input("input_load_u64", s[0], 8))
	}},
	{"input_set", i64i64, none, func(_ *instance, b *blocks, s []uint64) { b.setInput(s[0], s[1]) }},
	{"output_set", i64i64, none, func(_ *instance, b *blocks, s []uint64) { b.setOutput(s[0], s[1]) }},
	{"output_offset", none, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.out.offset }},
	{"output_length", none, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.out.length }},
	{"error_set", i64, none, func(_ *instance, b *blocks, s []uint64) { b.setError(s[0]) }},
	{"error_get", none, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = b.failedAt }},
	{"reset", none, none, func(_ *instance, b *blocks, _ []uint64) { b.reset() }},
	{"memory_bytes", none, i64, func(_ *instance, b *blocks, s []uint64) { s[0] = uint64(len(b.data)) }},

	{"config_get", i64, i64, func(in *instance, _ *blocks, s []uint64) { s[0] = in.configGet(s[0]) }},
	{"var_get", i64, i64, func(in *instance, _ *blocks, s []uint64) { s[0] = in.varGet(s[0]) }},
	{"var_set", i64i64, none, func(in *instance, _ *blocks, s []uint64) { in.varSet(s[0], s[1]) }},
	{"http_request", i64i64, i64, func(in *instance, _ *blocks, s []uint64) { s[0] = in.httpRequest(s[0], s[1]) }},
	{"http_status_code", none, i32, func(in *instance, _ *blocks, s []uint64) { s[0] = uint64(uint32(in.http.status)) }},
	{"http_headers", none, i64, func(in *instance, _ *blocks, s []uint64) { s[0] = in.httpHeaders() }},
	{"log_trace", i64, none, func(in *instance, _ *blocks, s []uint64) { in.logBlock(levelDebug, s[0]) }},
	{"log_debug", i64, none, func(in *instance, _ *blocks, s []uint64) { in.logBlock(levelDebug, s[0]) }},
	{"log_info", i64, none, func(in *instance, _ *blocks, s []uint64) { in.logBlock(levelInfo, s[0]) }},
	{"log_warn", i64, none, func(in *instance, _ *blocks, s []uint64) { in.logBlock(levelWarn, s[0]) }},
	{"log_error", i64, none, func(in *instance, _ *blocks, s []uint64) { in.logBlock(levelError, s[0]) }},
	// 0 is trace: everything is taken. The largest number is off.
	{"get_log_level", none, i32, func(in *instance, _ *blocks, s []uint64) {
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

// linkEnv gives rt the Extism environment as a module of Go functions.
func linkEnv(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(envModule)
	for _, f := range envFunctions {
		call := f.call
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			in := instanceOf(ctx)
			call(in, in.blocks, stack)
		}), f.params, f.results).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}
