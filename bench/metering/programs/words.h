// Text to work on: words of a small vocabulary, drawn at random, the same in
// every run.
#include <stddef.h>
#include <stdint.h>

static uint32_t word_seed = 2463534242u;
static uint32_t draw(void) {
	word_seed ^= word_seed << 13;
	word_seed ^= word_seed >> 17;
	return word_seed ^= word_seed << 5;
}

static void words(char *to, size_t n) {
	static const char *const list[] = {"plugin", "host", "the", "a", "workflow", "of", "retry", "and", "breaker", "answer", "timeout", "node", "is", "late"};
	size_t i = 0;
	while (i < n) {
		const char *w = list[draw() % (sizeof list / sizeof *list)];
		while (*w && i < n) to[i++] = *w++;
		if (i < n) to[i++] = draw() % 12 ? ' ' : '\n';
	}
}

static uint32_t sum(const void *p, size_t n) {
	uint32_t s = 2166136261u;
	for (const uint8_t *b = p; n--; b++) s = (s ^ *b) * 16777619u;
	return s;
}
