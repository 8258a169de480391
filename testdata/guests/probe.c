// One export for each thing a guest can do, right or wrong.
#include "extism.h"

WASI(proc_exit) _Noreturn void w_exit(int32_t);
WASI(fd_write) int32_t w_fd_write(int32_t, const void *, int32_t, uint32_t *);
WASI(poll_oneoff) int32_t w_poll(const void *, void *, int32_t, uint32_t *);
WASI(clock_time_get) int32_t w_clock(int32_t, int64_t, uint64_t *);
WASI(random_get) int32_t w_random(void *, int32_t);
WASI(environ_sizes_get) int32_t w_environ_sizes(uint32_t *, uint32_t *);

// What comes in goes out, eight bytes a call.
EXPORT(echo) int32_t echo(void) {
	uint64_t n = x_input_length(), at = x_alloc(n), i = 0;
	for (; i + 8 <= n; i += 8) x_store_u64(at + i, x_input_load_u64(i));
	for (; i < n; i++) x_store_u8(at + i, x_input_load_u8(i));
	x_output_set(at, n);
	return 0;
}

// Output without a copy: the input's own block.
EXPORT(same) void same(void) { x_output_set(x_input_offset(), x_input_length()); }

EXPORT(nothing) void nothing(void) {}
EXPORT(only_a_number) int32_t only_a_number(void) { return 3; }

// Fails with its input as the error text.
EXPORT(fail) int32_t fail(void) {
	x_error_set(x_input_offset());
	return 1;
}
// Sets its input as the error text and returns 0, with an output.
EXPORT(warn) int32_t warn(void) {
	output("partial");
	x_error_set(x_input_offset());
	return 0;
}

EXPORT(config) int32_t config(void) {
	uint64_t at = x_config_get(x_input_offset());
	x_output_set(at, x_length(at));
	return 0;
}

// The var "v" gets the input; what it was before goes out.
EXPORT(var) int32_t var(void) {
	uint64_t before = x_var_get(text("v"));
	uint64_t n = x_length(before), copy = x_alloc(n);
	for (uint64_t i = 0; i < n; i++) x_store_u8(copy + i, x_load_u8(before + i));
	x_var_set(text("v"), x_input_offset());
	x_output_set(copy, n);
	return 0;
}

static int counter;
EXPORT(count) int32_t count(void) {
	char digit[2] = {'0' + ++counter % 10, 0};
	output(digit);
	return 0;
}

EXPORT(log) int32_t log_(void) {
	x_log_debug(text("d"));
	x_log_info(x_input_offset());
	x_log_warn(text("w"));
	x_log_error(text("e"));
	return 0;
}
EXPORT(log_flood) int32_t log_flood(void) {
	for (int i = 0; i < 2000; i++) x_log_info(text("0123456789012345678901234567890123456789"));
	return 0;
}
EXPORT(log_forever) void log_forever(void) {
	for (;;) log_flood();
}
EXPORT(print) int32_t print(void) {
	struct { const char *p; uint32_t n; } out = {"one\ntwo\n", 8}, err = {"three\x1b[31m\n", 11};
	uint32_t n;
	w_fd_write(1, &out, 1, &n);
	w_fd_write(2, &err, 1, &n);
	return 0;
}

// The input is a request; the answer is status, headers and body, each on a
// line of its own.
static uint64_t put(uint64_t to, uint64_t from, uint64_t n) {
	for (uint64_t i = 0; i < n; i++) x_store_u8(to + i, x_load_u8(from + i));
	return to + n;
}
EXPORT(http) int32_t http(void) {
	uint64_t body = x_http_request(x_input_offset(), 0);
	uint64_t headers = x_http_headers(), nh = x_length(headers), nb = x_length(body);
	int32_t status = x_http_status_code();
	uint64_t at = x_alloc(3 + 1 + nh + 1 + nb), to = at;
	for (int d = 100; d; d /= 10) x_store_u8(to++, '0' + status / d % 10);
	x_store_u8(to++, '\n');
	to = put(to, headers, nh);
	x_store_u8(to++, '\n');
	to = put(to, body, nb);
	x_output_set(at, to - at);
	return 0;
}
// POSTs its input to the URL in the config value "url".
EXPORT(post) int32_t post(void) {
	uint64_t url = x_config_get(text("url")), n = x_length(url);
	uint64_t head = text("{\"method\":\"POST\",\"url\":\"");
	uint64_t nh = x_length(head), request = x_alloc(nh + n + 2);
	uint64_t to = put(put(request, head, nh), url, n);
	x_store_u8(to, '"');
	x_store_u8(to + 1, '}');
	uint64_t body = x_http_request(request, x_input_offset());
	x_output_set(body, x_length(body));
	return 0;
}
EXPORT(http_flood) int32_t http_flood(void) {
	uint64_t n = x_input_length();
	for (int i = 0; i < 1000; i++) {
		uint64_t request = x_alloc(n);
		for (uint64_t j = 0; j < n; j++) x_store_u8(request + j, x_input_load_u8(j));
		x_http_request(request, 0);
	}
	return 0;
}

EXPORT(trap) void trap(void) { __builtin_trap(); }
EXPORT(spin) void spin(void) {
	for (;;) __asm__ volatile("");
}
// Two calls at each level: no loop, and no end.
__attribute__((noinline)) static int tree(int depth) {
	__asm__ volatile("");
	return depth ? tree(depth - 1) + tree(depth - 1) : 1;
}
EXPORT(tree) int32_t tree_(void) { return tree(60) & 0; }
static volatile int never;
__attribute__((noinline)) static int deep(int n) {
	__asm__ volatile("");
	int r = n < never ? n : deep(n + 1);
	__asm__ volatile("" : "+r"(r));
	return r + 1;
}
EXPORT(recurse) int32_t recurse(void) { return deep(1); }
EXPORT(fill) void fill(void) {
	char *big = (char *)(__builtin_wasm_memory_grow(0, 256) << 16);
	for (;;) {
		__builtin_memset(big, 1, 1 << 24);
		__asm__ volatile("" ::"r"(big) : "memory");
	}
}
EXPORT(sleep) void sleep(void) {
	uint8_t sub[48] = {0}, event[32];
	uint32_t n;
	*(uint32_t *)(sub + 16) = 1; // monotonic
	*(uint64_t *)(sub + 24) = 200ull * 365 * 86400 * 1000000000;
	w_poll(sub, event, 1, &n);
}
EXPORT(nap) void nap(void) {
	uint8_t sub[48] = {0}, event[32];
	uint32_t n;
	*(uint32_t *)(sub + 16) = 1;
	*(uint64_t *)(sub + 24) = 20 * 1000000;
	w_poll(sub, event, 1, &n);
}
EXPORT(exit) void exit_(void) { w_exit((int32_t)x_input_load_u8(0)); }
EXPORT(exit_0) void exit_0(void) {
	output("before the end");
	w_exit(0);
}
// The code that wazero itself ends modules with when their time is over.
EXPORT(exit_as_timeout) void exit_as_timeout(void) { w_exit((int32_t)0xefffffff); }
EXPORT(grow) void grow(void) {
	while (__builtin_wasm_memory_grow(0, 16) != (unsigned long)-1) {
	}
	__builtin_trap();
}
EXPORT(grow_and_go_on) int32_t grow_and_go_on(void) {
	while (__builtin_wasm_memory_grow(0, 16) != (unsigned long)-1) {
	}
	output("fine");
	return 0;
}
EXPORT(alloc_flood) void alloc_flood(void) {
	for (;;) x_alloc(1 << 16);
}
// Many blocks, freed and taken again: O(1) each, and no growth.
EXPORT(alloc_free) int32_t alloc_free(void) {
	for (int i = 0; i < 200000; i++) x_free(x_alloc(1 + i % 5000));
	return 0;
}
EXPORT(double_free) int32_t double_free(void) {
	uint64_t a = text("first");
	x_free(a);
	x_free(a);
	uint64_t b = text("second"), c = text("third!");
	if (b == c) return 1;
	x_output_set(b, 6);
	return 0;
}
EXPORT(stale) int32_t stale(void) {
	uint64_t a = x_alloc(8);
	x_store_u64(a, ~0ull);
	x_free(a);
	uint64_t b = x_alloc(8);
	return x_load_u64(b) != 0;
}

EXPORT(big_output) void big_output(void) {
	uint64_t n = 9 << 20, at = x_alloc(n);
	x_output_set(at, n);
}
EXPORT(latin1) void latin1(void) { output("caf\xe9"); }
EXPORT(bad_output) void bad_output(void) { x_output_set(x_alloc(8), 1 << 20); }
EXPORT(bad_output_wraps) void bad_output_wraps(void) { x_output_set(~0ull - 4, 64); }
EXPORT(bad_error) int32_t bad_error(void) {
	x_error_set(123456789);
	return 1;
}
EXPORT(bad_load) void bad_load(void) { x_load_u64(1ull << 40); }
EXPORT(bad_store) void bad_store(void) { x_store_u8(0, 1); }
EXPORT(bad_input_load) void bad_input_load(void) { x_input_load_u64(x_input_length()); }
EXPORT(bad_handle) void bad_handle(void) { x_config_get(text("abcdefgh") + 1); }
EXPORT(bad_log) void bad_log(void) { x_log_info(99); }
EXPORT(bad_var) void bad_var(void) { x_var_set(text("k"), 77); }
EXPORT(bad_request) void bad_request(void) { x_http_request(text("{"), 0); }

EXPORT(random) int32_t random_(void) {
	uint64_t at = x_alloc(8), r = 0;
	w_random(&r, 8);
	x_store_u64(at, r);
	x_output_set(at, 8);
	return 0;
}
EXPORT(clock) int32_t clock(void) {
	uint64_t at = x_alloc(8), now = 0;
	w_clock(0, 1, &now);
	x_store_u64(at, now);
	x_output_set(at, 8);
	return 0;
}
EXPORT(environ_count) int32_t environ_count(void) {
	uint32_t n = 0, size = 0;
	w_environ_sizes(&n, &size);
	return n;
}
EXPORT(health) void health(void) { output("{\"healthy\":true}"); }
EXPORT(takes_a_number) int32_t takes_a_number(int32_t n) { return n; }
