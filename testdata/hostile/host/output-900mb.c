// output_limit: 900 MB of output, in one block.
#include "host.h"
EXPORT(run) void run(void) {
	uint64_t n = 900ull << 20;
	x_output_set(x_alloc(n), n);
}
