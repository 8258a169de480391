// A plugin of which tests make many versions: what it does stands in its data,
// "PLAN:" and 40 bytes that are written over. The first is what run does, the
// second what health does, the rest, up to a dot, a text.
#include "extism.h"

WASI(poll_oneoff) int32_t w_poll(const void *, void *, int32_t, uint32_t *);
WASI(path_open) int32_t w_open(int32_t, int32_t, const char *, int32_t, int32_t, uint64_t, uint64_t, int32_t, uint32_t *);
WASI(environ_get) int32_t w_environ(uint8_t **, uint8_t *);

static volatile char plan[] = "PLAN:eh......................................";

static uint64_t put(uint64_t to, uint64_t from, uint64_t n) {
	for (uint64_t i = 0; i < n; i++) x_store_u8(to + i, x_load_u8(from + i));
	return to + n;
}
// Answers with the text, a space, and a block.
static void answer(uint64_t from, uint64_t n) {
	uint64_t length = 0, at, i = 0;
	while (plan[7 + length] != '.') length++;
	at = x_alloc(length + 1 + n);
	for (; i < length; i++) x_store_u8(at + i, (unsigned char)plan[7 + i]);
	x_store_u8(at + length, ' ');
	put(at + length + 1, from, n);
	x_output_set(at, length + 1 + n);
}
static void spin(void) {
	for (;;) __asm__ volatile("");
}
static void nap(int ms) {
	uint8_t sub[48] = {0}, event[32];
	uint32_t n;
	*(uint32_t *)(sub + 16) = 1;
	*(uint64_t *)(sub + 24) = ms * 1000000ull;
	w_poll(sub, event, 1, &n);
}
static int32_t failure(const char *why) {
	x_error_set(text(why));
	return 1;
}

EXPORT(run) int32_t run(void) {
	uint64_t in = x_input_offset(), n = x_input_length(), got;
	uint32_t fd;
	uint8_t *variables[16], values[512];
	switch (plan[5]) {
	case 'e': // echo
		answer(in, n);
		return 0;
	case 'f':
		return failure("it always fails");
	case 'x': // fails for inputs that begin with an x
		if (n && x_input_load_u8(0) == 'x') return failure("x is not for me");
		answer(in, n);
		return 0;
	case 't':
		__builtin_trap();
	case 's':
		spin();
	case 'n': // slow
		nap(8);
		answer(in, n);
		return 0;
	case 'j': // the same in JSON
		output("{\"a\": 1, \"b\": [true, \"x\"]}");
		return 0;
	case 'k':
		output("{\"b\":[true,\"x\"],\"a\":1}");
		return 0;
	case 'h': // asks what the input says
		got = x_http_request(in, 0);
		answer(got, x_length(got));
		return 0;
	case 'q': // does not ask
		answer(in, 0);
		return 0;
	case 'c': // reads a secret
		got = x_config_get(text("secret.key"));
		answer(got, x_length(got));
		return 0;
	case 'o': // opens a file
		if (w_open(3, 0, "greeting", 8, 0, 2, 0, 0, &fd)) return failure("no such file");
		output("opened");
		return 0;
	case 'v': // reads its variables
		w_environ(variables, values);
		output((char *)variables[0]);
		return 0;
	}
	return failure("there is no such plan");
}

EXPORT(health) int32_t health(void) {
	switch (plan[6]) {
	case 'f':
		return failure("not today");
	case 'u':
		output("{\"healthy\": false, \"why\": \"sick\"}");
		return 0;
	case 's':
		spin();
	}
	output("{\"healthy\": true}");
	return 0;
}
