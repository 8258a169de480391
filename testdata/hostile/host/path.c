// Opens the path that is its input, below the first folder it was given, and
// makes the error number its output; "!" and what it read when there is none.
#include "host.h"
static char path[4096], buf[64];
EXPORT(run) void run(void) {
	uint32_t n = input(path, sizeof path);
	int32_t fd, err = w_path_open(FIRST_DIR, FOLLOW, path, n, 0, READ, READ, 0, &fd);
	if (err) {
		number((uint32_t)err);
		return;
	}
	struct bytes in = {buf + 1, sizeof buf - 1};
	uint32_t got = 0;
	buf[0] = '!';
	w_fd_read(fd, &in, 1, &got);
	x_output_set(block(buf, got + 1), got + 1);
}
// A path of 16 MiB: "a/a/a/…".
EXPORT(endless) void endless(void) {
	char *big = pages(256);
	int32_t fd;
	for (uint32_t i = 0; i < 16 << 20; i += 2) big[i] = 'a', big[i + 1] = '/';
	number((uint32_t)w_path_open(FIRST_DIR, FOLLOW, big, 16 << 20, 0, READ, READ, 0, &fd));
}
// timeout: long paths, asked for again and again.
EXPORT(forever) void forever(void) {
	char *big = pages(1);
	char stat[64];
	for (uint32_t i = 0; i < 1 << 16; i += 2) big[i] = 'a', big[i + 1] = '/';
	for (;;) w_stat(FIRST_DIR, FOLLOW, big, 1 << 16, stat);
}
