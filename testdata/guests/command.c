// A WASI command; its first argument says what it does.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "cat";
	char buf[4096];
	size_t n;
	if (!strcmp(what, "cat")) {
		while ((n = fread(buf, 1, sizeof buf, stdin)) > 0) fwrite(buf, 1, n, stdout);
	} else if (!strcmp(what, "args")) {
		for (int i = 0; i < argc; i++) printf("%s\n", argv[i]);
	} else if (!strcmp(what, "env")) {
		const char *v = getenv(argv[2]);
		printf("%s", v ? v : "(none)");
	} else if (!strcmp(what, "exit")) {
		fprintf(stderr, "working\nit is broken\n");
		return atoi(argv[2]);
	} else if (!strcmp(what, "endless")) {
		for (;;) puts("and on and on");
	} else if (!strcmp(what, "spin")) {
		for (;;) __asm__ volatile("");
	} else if (!strcmp(what, "sleep")) {
		struct timespec t = {200ll * 365 * 86400, 0};
		nanosleep(&t, NULL);
	} else if (!strcmp(what, "abort")) {
		fprintf(stderr, "no hope\n");
		abort();
	}
	return 0;
}
