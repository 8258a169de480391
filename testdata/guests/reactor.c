// Functions, standard input and output, no Extism.
#include <ctype.h>
#include <stdio.h>

static int ready;
__attribute__((constructor)) static void init(void) { ready = 1; }

__attribute__((export_name("upper"))) int upper(void) {
	int c;
	if (!ready) return 9;
	while ((c = getchar()) != EOF) putchar(toupper(c));
	fflush(stdout);
	return 0;
}
__attribute__((export_name("seven"))) int seven(void) {
	fprintf(stderr, "seven it is\n");
	return 75;
}
