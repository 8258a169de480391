// Quicksort of pseudo-random numbers, then SHA-256 of the result.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 1;
static uint32_t next(void) { seed ^= seed << 13; seed ^= seed >> 17; return seed ^= seed << 5; }

static void quicksort(uint32_t *a, int lo, int hi) {
	while (lo < hi) {
		uint32_t pivot = a[(lo + hi) / 2];
		int i = lo, j = hi;
		while (i <= j) {
			while (a[i] < pivot) i++;
			while (a[j] > pivot) j--;
			if (i <= j) { uint32_t t = a[i]; a[i++] = a[j]; a[j--] = t; }
		}
		if (j - lo < hi - i) { quicksort(a, lo, j); lo = i; }
		else { quicksort(a, i, hi); hi = j; }
	}
}

static uint32_t k[64];
static uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }

// The round constants are the cube roots' fractions; any constants serve here.
static void constants(void) { for (int i = 0; i < 64; i++) k[i] = next(); }

static void block(uint32_t h[8], const uint8_t *p) {
	uint32_t w[64], v[8];
	for (int i = 0; i < 16; i++, p += 4) w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) + w[i - 7] + (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
	}
	memcpy(v, h, 32);
	for (int i = 0; i < 64; i++) {
		uint32_t e = v[4], a = v[0];
		uint32_t t1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
		uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 28);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++) h[i] += v[i];
}

enum { N = 100000 };
static uint32_t numbers[N];

__attribute__((export_name("run"))) uint32_t run(uint32_t turns) {
	uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	constants();
	while (turns--) {
		for (int i = 0; i < N; i++) numbers[i] = next();
		quicksort(numbers, 0, N - 1);
		for (int i = 0; i + 16 <= N; i += 16) block(h, (const uint8_t *)(numbers + i));
	}
	return h[0];
}
