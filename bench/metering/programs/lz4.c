// Packs text and unpacks it again, with LZ4, fast and thoroughly.
#include "words.h"
#include <lz4.h>
#include <lz4hc.h>
#include <string.h>

enum { N = 200000 };
static char text[N], back[N], packed[LZ4_COMPRESSBOUND(N)];

__attribute__((export_name("run"))) uint32_t run(uint32_t turns) {
	word_seed = 1;
	words(text, N);
	uint32_t s = 0;
	while (turns--) {
		int fast = LZ4_compress_default(text, packed, N, sizeof packed);
		for (int i = 0; i < 4; i++)
			if (LZ4_decompress_safe(packed, back, fast, N) != N || memcmp(text, back, N)) return 0;
		s += sum(packed, fast);
		int hc = LZ4_compress_HC(text, packed, N, sizeof packed, 6);
		if (LZ4_decompress_safe(packed, back, hc, N) != N || memcmp(text, back, N)) return 0;
		s += sum(packed, hc);
		text[s % N] ^= 1;
	}
	return s;
}
