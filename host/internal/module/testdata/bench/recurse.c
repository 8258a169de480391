// Doubly recursive Fibonacci numbers and Ackermann's function: calls only.
#include <stdint.h>

__attribute__((noinline)) static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

__attribute__((noinline)) static uint32_t ack(uint32_t m, uint32_t n) {
	if (m == 0) return n + 1;
	if (n == 0) return ack(m - 1, 1);
	return ack(m - 1, ack(m, n - 1));
}

__attribute__((export_name("run"))) uint32_t run(uint32_t turns) {
	uint32_t s = 0;
	while (turns--) s += fib(27 + (s & 1)) + ack(2, 600 + (s & 1));
	return s;
}
