// timeout: one write of a million vectors, each of 16 MiB.
#include "host.h"
EXPORT(run) void run(void) {
	struct bytes *many = (struct bytes *)pages(384);
	uint32_t n;
	for (int i = 0; i < 1 << 20; i++) many[i] = (struct bytes){many, 16 << 20};
	for (;;) w_fd_write(2, many, 1 << 20, &n);
}
