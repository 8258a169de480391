// ok, and a log that is cut: lines full of what terminals act on.
#include "host.h"
static const char line[] = "\x1b[2J\x1b]0;owned\x07\x1b[31m\rred\b\b\x9b" "31m \xe2\x80\xae desrever \xff\x00\x1bP+q544e\x1b\\";
EXPORT(run) void run(void) {
	for (int i = 0; i < 20000; i++) x_log_info(block(line, sizeof line));
}
EXPORT(printed) void printed(void) {
	struct bytes one = {line, sizeof line};
	uint32_t n;
	for (int i = 0; i < 20000; i++) w_fd_write(1 + i % 2, &one, 1, &n);
}
// timeout: the log is full at once, and what is logged is a megabyte each time.
EXPORT(blocks) void blocks(void) {
	for (;;) {
		uint64_t at = x_alloc(1 << 20);
		x_log_info(at);
		x_free(at);
	}
}
// timeout: one write of 32 MiB of lines of one byte.
EXPORT(lines) void lines(void) {
	char *big = pages(512);
	for (uint32_t i = 0; i < 32 << 20; i += 2) big[i] = 'a', big[i + 1] = '\n';
	struct bytes one = {big, 32 << 20};
	uint32_t n;
	for (;;) w_fd_write(2, &one, 1, &n);
}
