// timeout: sleeps for 300 years, which is more than 63 bits of nanoseconds.
#include "host.h"
static void nap(uint64_t ns) {
	uint8_t sub[48] = {0}, event[32];
	uint32_t n;
	*(uint32_t *)(sub + 16) = 1; // monotonic
	*(uint64_t *)(sub + 24) = ns;
	w_poll(sub, event, 1, &n);
}
EXPORT(run) void run(void) { nap(300ull * 365 * 86400 * 1000000000); }
EXPORT(longest) void longest(void) { nap(~0ull >> 1); }
// trap: naps of nothing, by the hundred thousand.
EXPORT(naps) void naps(void) {
	char *subs = pages(512);
	uint32_t n, count = 512 * 65536 / 80;
	for (uint32_t i = 0; i < count; i++) *(uint32_t *)(subs + i * 48 + 16) = 1;
	for (;;) w_poll(subs, subs + count * 48, count, &n);
}
// trap: so many subscriptions that their size in bytes has no room in 32 bits.
EXPORT(wraps) void wraps(void) {
	uint8_t sub[48] = {0}, event[64];
	uint32_t n;
	w_poll(sub, event, 89478486, &n);
}
