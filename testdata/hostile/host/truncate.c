// Opens its input with O_TRUNC, with O_CREAT, and with both: reading and
// writing. The output is one letter for each try: "." refused, "!" opened.
#include "host.h"
static char path[256], out[9];
EXPORT(run) void run(void) {
	uint32_t n = input(path, sizeof path);
	int at = 0;
	for (int write = 0; write < 2; write++)
		for (int how = 0; how < 4; how++) {
			static const int flags[] = {O_TRUNC, O_CREAT, O_CREAT | O_TRUNC, O_CREAT | O_EXCL};
			int64_t rights = write ? READ | WRITE : READ;
			int32_t fd, err = w_path_open(FIRST_DIR, FOLLOW, path, n, flags[how], rights, rights, 0, &fd);
			out[at++] = err ? '.' : '!';
		}
	output(out);
}
