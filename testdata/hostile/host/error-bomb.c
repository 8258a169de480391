// An error text of megabytes that says it is JSON: each of its few bytes would
// be a value of many in the host.
#include "host.h"
static int32_t fail(const char *item, uint64_t size, uint64_t count) {
	uint64_t at = x_alloc(8 + size * count), to = at;
	x_store_u64(to, 0x5b20202020202020); // seven spaces and a "["
	to += 8;
	while (count--)
		for (uint64_t i = 0; i < size; i += 8, to += 8) {
			uint64_t word = 0;
			for (int j = 0; j < 8; j++) word |= (uint64_t)(unsigned char)item[i + j] << (8 * j);
			x_store_u64(to, word);
		}
	x_store_u8(to - 1, ']');
	x_error_set(at);
	return 0;
}
EXPORT(run) int32_t run(void) { return fail("{}     ,", 8, 3 << 20); }
EXPORT(warnings) int32_t warnings(void) { return fail("{\"class\":\"warning\",\"message\":\"mmmmmmm\"},", 40, 600000); }
// Not a list, but a number of a million digits, and nesting without end.
EXPORT(nested) int32_t nested(void) { return fail("[[[[[[[[", 8, 3 << 20); }
EXPORT(object) int32_t object(void) {
	uint64_t n = 24 << 20, at = x_alloc(n);
	static const char head[] = "{\"message\":\"m\",\"code\":[";
	for (uint64_t i = 0; i < n; i++) x_store_u8(at + i, i < sizeof head - 1 ? (unsigned char)head[i] : i % 2 ? '0' : ',');
	x_error_set(at);
	return 1;
}
