// output_limit: a WASI program that writes 900 MB to its standard output.
#include "host.h"
EXPORT(_start) void start(void) {
	char *big = pages(160);
	struct bytes one = {big, 10 << 20};
	uint32_t n;
	for (int i = 0; i < 90; i++) w_fd_write(1, &one, 1, &n);
}
