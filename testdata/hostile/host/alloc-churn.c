// timeout: large blocks, taken, cleared and given back by the host's own code,
// with next to no code of the guest between.
#include "host.h"
EXPORT(run) void run(void) {
	for (;;) {
		uint64_t at = x_alloc(48 << 20);
		x_free(at);
	}
}
EXPORT(reset) void reset(void) {
	for (;;) {
		x_alloc(48 << 20);
		x_reset();
	}
}
