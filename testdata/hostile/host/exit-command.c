// exit, or ok when the code is 0: a WASI program. The input's first byte is the
// code.
#include "host.h"
EXPORT(_start) void start(void) {
	char code = 0;
	struct bytes in = {&code, 1}, out = {"before the end", 14};
	uint32_t n;
	w_fd_read(0, &in, 1, &n);
	w_fd_write(1, &out, 1, &n);
	w_exit(code);
}
