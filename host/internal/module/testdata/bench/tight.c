// Tight loops: a random generator, a polynomial over an array, a saxpy.
#include <stdint.h>

enum { N = 4096 };
static float x[N], y[N];
static uint32_t a[N];

__attribute__((noinline)) static uint64_t mix(uint64_t s, int n) {
	for (int i = 0; i < n; i++) { s ^= s << 13; s ^= s >> 7; s ^= s << 17; }
	return s;
}

__attribute__((noinline)) static void saxpy(float k) { for (int i = 0; i < N; i++) y[i] += k * x[i]; }

__attribute__((noinline)) static uint32_t poly(uint32_t k) {
	uint32_t s = 0;
	for (int i = 0; i < N; i++) { a[i] = a[i] * k + 12345; s += a[i] ^ a[i] >> 7; }
	return s;
}

__attribute__((export_name("run"))) uint32_t run(uint32_t turns) {
	uint64_t s = 88172645463325252;
	for (int i = 0; i < N; i++) { x[i] = i; y[i] = N - i; a[i] = i * 7; }
	while (turns--) {
		s = mix(s, 100000);
		for (int i = 0; i < 200; i++) { saxpy(0.5f); s += poly((uint32_t)s | 1); }
	}
	return (uint32_t)s + (uint32_t)y[17];
}
