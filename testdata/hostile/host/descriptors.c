// Opens what its input names until it is told no, and says how often it was
// not; or fails then.
#include "host.h"
static char path[256];
static uint32_t flood(void) {
	uint32_t n = input(path, sizeof path), count = 0;
	int32_t fd;
	while (!w_path_open(FIRST_DIR, FOLLOW, path, n, 0, READ, READ, 0, &fd)) count++;
	return count;
}
EXPORT(run) void run(void) { number(flood()); }
EXPORT(fails) int32_t fails(void) {
	flood();
	x_error_set(text("there are no more files to be had"));
	return 1;
}
EXPORT(traps) void traps(void) {
	flood();
	__builtin_trap();
}
// timeout: opens and closes for ever.
EXPORT(churn) void churn(void) {
	uint32_t n = input(path, sizeof path);
	int32_t fd;
	for (;;)
		if (!w_path_open(FIRST_DIR, FOLLOW, path, n, 0, READ, READ, 0, &fd)) w_fd_close(fd);
}
