// Makes a symlink that leads to its input, and says what it was told: the error
// number, or "made".
#include "host.h"
static char to[4096];
EXPORT(run) void run(void) {
	uint32_t n = input(to, sizeof to);
	int32_t err = w_symlink(to, n, FIRST_DIR, "made", 4);
	if (err) number((uint32_t)err);
	else output("made");
}
