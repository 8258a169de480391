// timeout: random bytes by the megabyte, in a loop of a few instructions.
#include "host.h"
EXPORT(run) void run(void) {
	char *big = pages(512);
	for (;;) w_random(big, 32 << 20);
}
