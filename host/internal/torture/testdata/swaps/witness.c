// A plugin that leaves a trace of every call where no host can tell otherwise: a
// line in /w/calls, "LABEL KEY ATTEMPT NANOSECONDS", appended in one write. What
// it does stands in its data, "PLAN:" and 40 bytes that are written over: what
// run does, what health does, and the label, up to a dot.
#include "extism.h"

WASI(path_open) int32_t w_open(int32_t, int32_t, const char *, int32_t, int32_t, uint64_t, uint64_t, int32_t, uint32_t *);
WASI(fd_write) int32_t w_write(uint32_t, const void *, int32_t, uint32_t *);
WASI(clock_time_get) int32_t w_clock(int32_t, uint64_t, uint64_t *);
WASI(poll_oneoff) int32_t w_poll(const void *, void *, int32_t, uint32_t *);

static volatile char plan[] = "PLAN:gh......................................";

static char line[512];
static uint32_t length;
static void add(char c) {
	if (length < sizeof line) line[length++] = c;
}
static void add_config(const char *name) {
	uint64_t at = x_config_get(text(name)), n = x_length(at);
	for (uint64_t i = 0; i < n; i++) add((char)x_load_u8(at + i));
	add(' ');
}
static void add_number(uint64_t n) {
	char digits[20];
	int i = 0;
	do digits[i++] = '0' + n % 10;
	while (n /= 10);
	while (i) add(digits[--i]);
}
static int32_t failure(const char *why) {
	x_error_set(text(why));
	return 1;
}
static void nap(int ms) {
	uint8_t sub[48] = {0}, event[32];
	uint32_t n;
	*(uint32_t *)(sub + 16) = 1;
	*(uint64_t *)(sub + 24) = ms * 1000000ull;
	w_poll(sub, event, 1, &n);
}

EXPORT(run) int32_t run(void) {
	uint64_t now = 0;
	uint32_t fd, n;
	length = 0;
	if (w_clock(0, 1, &now)) return failure("there is no clock");
	for (int i = 7; plan[i] != '.'; i++) add(plan[i]);
	add(' ');
	add_config("host.idempotency_key");
	add_config("host.attempt");
	add_number(now);
	add('\n');
	if (plan[5] == 'n') nap(8); // in the middle, before the trace
	if (w_open(3, 0, "calls", 5, 1, 1 << 6, 0, 1, &fd)) return failure("calls cannot be opened");
	const struct { const char *p; uint32_t n; } io = {line, length};
	if (w_write(fd, &io, 1, &n) || n != length) return failure("calls cannot be written");
	switch (plan[5]) {
	case 'l': // and after it
		nap(8);
		break;
	case 'f':
		return failure("it always fails");
	case 't':
		__builtin_trap();
	}
#ifdef GROW
	if (plan[5] == 'w') x_http_request(text("{\"url\":\"http://127.0.0.1:1/\"}"), 0);
#endif
	output("\"done\"");
	return 0;
}

EXPORT(health) int32_t health(void) {
	switch (plan[6]) {
	case 'f':
		return failure("not today");
	case 'u':
		output("{\"healthy\": false, \"why\": \"sick\"}");
		return 0;
	case 't':
		__builtin_trap();
	}
	output("{\"healthy\": true}");
	return 0;
}
