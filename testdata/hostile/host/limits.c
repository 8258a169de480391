// Takes as much of one thing as its input says, a number of eight bytes.
#include "host.h"
static uint64_t wanted(void) { return x_input_load_u64(0); }
EXPORT(grow) void grow(void) { // pages in all, the environment's one included
	pages((uint32_t)wanted() - 1 - __builtin_wasm_memory_size(0));
}
EXPORT(blocks) void blocks(void) { x_alloc(wanted()); }
EXPORT(steps) void steps(void) {
	for (uint64_t i = wanted(); i; i--) __asm__ volatile("");
}
EXPORT(output_) void output_(void) {
	uint64_t n = wanted();
	x_output_set(x_alloc(n), n);
}
EXPORT(log_) void log_(void) {
	static char line[100];
	for (uint64_t n = wanted(), next; n; n -= next) {
		next = n < sizeof line ? n : sizeof line;
		for (int i = 0; i < next - 1; i++) line[i] = 'x';
		x_log_info(block(line, next - 1));
	}
}
// One line, and then nothing more; it does not end.
EXPORT(log_forever) void log_forever(void) {
	x_log_info(text("working"));
	for (;;) __asm__ volatile("");
}
EXPORT(vars) void vars(void) { // the name is one byte of it
	for (uint64_t i = 0, n = wanted(), next; n; i++, n -= next) {
		next = n < 1000 ? n : 1000;
		char name[2] = {'a' + i, 0};
		x_var_set(text(name), x_alloc(next - 1));
	}
}
// What the config value "url" names is asked for as often as the input says.
EXPORT(requests) void requests(void) {
	for (uint64_t n = wanted(); n; n--) x_http_request(x_config_get(text("request")), 0);
}
EXPORT(files) int32_t files(void) {
	int32_t fd;
	for (uint64_t n = wanted(); n; n--)
		if (w_path_open(FIRST_DIR, FOLLOW, "a.txt", 5, 0, READ, READ, 0, &fd)) return 1;
	return 0;
}
