// memory_limit: blocks of the Extism environment without end.
#include "host.h"
EXPORT(run) void run(void) {
	for (;;) x_alloc(1 << 16);
}
// One block of everything that 32 bits reach.
EXPORT(huge) void huge(void) { x_alloc(0xfffffff0u); }
// And of more.
EXPORT(beyond) void beyond(void) { x_alloc(~0ull); }
