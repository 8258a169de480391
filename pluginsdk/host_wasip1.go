//go:build wasip1

package pluginsdk

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
)

// A pointer is an address in the memory that the host keeps for the call, not
// in the module's own. 0 is no block.
type pointer uint64

//go:wasmimport extism:host/env alloc
func hostAlloc(length uint64) pointer

//go:wasmimport extism:host/env free
func hostFree(at pointer)

//go:wasmimport extism:host/env length
func hostLength(at pointer) uint64

//go:wasmimport extism:host/env load_u8
func hostLoadU8(at pointer) uint32

//go:wasmimport extism:host/env load_u64
func hostLoadU64(at pointer) uint64

//go:wasmimport extism:host/env store_u8
func hostStoreU8(at pointer, v uint32)

//go:wasmimport extism:host/env store_u64
func hostStoreU64(at pointer, v uint64)

//go:wasmimport extism:host/env input_length
func hostInputLength() uint64

//go:wasmimport extism:host/env input_load_u8
func hostInputLoadU8(index uint64) uint32

//go:wasmimport extism:host/env input_load_u64
func hostInputLoadU64(index uint64) uint64

//go:wasmimport extism:host/env output_set
func hostOutputSet(at pointer, length uint64)

//go:wasmimport extism:host/env error_set
func hostErrorSet(at pointer)

//go:wasmimport extism:host/env config_get
func hostConfigGet(key pointer) pointer

//go:wasmimport extism:host/env var_get
func hostVarGet(key pointer) pointer

//go:wasmimport extism:host/env var_set
func hostVarSet(key, value pointer)

//go:wasmimport extism:host/env http_request
func hostHTTPRequest(request, body pointer) pointer

//go:wasmimport extism:host/env http_status_code
func hostHTTPStatusCode() int32

//go:wasmimport extism:host/env http_headers
func hostHTTPHeaders() pointer

//go:wasmimport extism:host/env get_log_level
func hostLogLevel() int32

//go:wasmimport extism:host/env log_debug
func hostLogDebug(message pointer)

//go:wasmimport extism:host/env log_info
func hostLogInfo(message pointer)

//go:wasmimport extism:host/env log_warn
func hostLogWarn(message pointer)

//go:wasmimport extism:host/env log_error
func hostLogError(message pointer)

// extism is the host as the ABI shows it.
type extism struct{}

// outerHost is the host around the module.
func outerHost() Host { return extism{} }

// store copies b into a new block. Payloads move eight bytes a host call:
// byte by byte a megabyte takes more than a second. Blocks that the host reads
// are not given back here: hosts free some of them by themselves, and all of
// them when the call ends.
func store(b []byte) pointer {
	if len(b) == 0 {
		return 0
	}
	at := hostAlloc(uint64(len(b)))
	if at == 0 {
		panic("the host has no memory left for " + strconv.Itoa(len(b)) + " bytes")
	}
	i := 0
	for ; i+8 <= len(b); i += 8 {
		hostStoreU64(at+pointer(i), binary.LittleEndian.Uint64(b[i:]))
	}
	for ; i < len(b); i++ {
		hostStoreU8(at+pointer(i), uint32(b[i]))
	}
	return at
}

// take copies a block that the host made, and gives it back. It is nil for the
// block 0.
func take(at pointer) []byte {
	if at == 0 {
		return nil
	}
	b := make([]byte, hostLength(at))
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], hostLoadU64(at+pointer(i)))
	}
	for ; i < len(b); i++ {
		b[i] = byte(hostLoadU8(at + pointer(i)))
	}
	hostFree(at)
	return b
}

func (extism) Input() []byte {
	b := make([]byte, hostInputLength())
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], hostInputLoadU64(uint64(i)))
	}
	for ; i < len(b); i++ {
		b[i] = byte(hostInputLoadU8(uint64(i)))
	}
	return b
}

func (extism) Output(output []byte) { hostOutputSet(store(output), uint64(len(output))) }

func (extism) Fail(text []byte) { hostErrorSet(store(text)) }

func (extism) Config(key string) (string, bool) {
	name := store([]byte(key))
	value := take(hostConfigGet(name))
	return string(value), len(value) > 0
}

func (extism) Var(key string) ([]byte, bool) {
	value := take(hostVarGet(store([]byte(key))))
	return value, len(value) > 0
}

func (extism) SetVar(key string, value []byte) { hostVarSet(store([]byte(key)), store(value)) }

// The ABI counts levels from trace, which is 0; ours begin with debug.
func (extism) Logs(level Level) bool { return int32(level)+1 >= hostLogLevel() }

func (extism) Log(level Level, message string) {
	at := store([]byte(message))
	if at == 0 {
		return
	}
	switch level {
	case LevelDebug:
		hostLogDebug(at)
	case LevelInfo:
		hostLogInfo(at)
	case LevelWarn:
		hostLogWarn(at)
	default:
		hostLogError(at)
	}
}

func (extism) HTTP(request *Request) (*Response, error) {
	body := take(hostHTTPRequest(store(request.head()), store(request.Body)))
	status := int(hostHTTPStatusCode())
	if status == 0 {
		return nil, noAnswer(request, string(body))
	}
	response := &Response{Status: status, Body: body, Headers: map[string]string{}}
	if head := take(hostHTTPHeaders()); len(head) > 0 {
		if err := json.Unmarshal(head, &response.Headers); err != nil {
			return nil, System("bad_host", "the host's response headers are no JSON object: "+err.Error())
		}
	}
	return response, nil
}
