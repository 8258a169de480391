// What the hostile guests use besides the Extism ABI: WASI by its raw calls,
// without a libc that would stand between the attack and the host.
#pragma once
#include "../../guests/extism.h"

ENV(input_set) void x_input_set(uint64_t, uint64_t);
ENV(reset) void x_reset(void);
WASI(proc_exit) _Noreturn void w_exit(int32_t);
WASI(fd_write) int32_t w_fd_write(int32_t, const void *, int32_t, uint32_t *);
WASI(fd_read) int32_t w_fd_read(int32_t, const void *, int32_t, uint32_t *);
WASI(fd_close) int32_t w_fd_close(int32_t);
WASI(path_open) int32_t w_path_open(int32_t, int32_t, const char *, uint32_t, int32_t, int64_t, int64_t, int32_t, int32_t *);
WASI(path_symlink) int32_t w_symlink(const char *, uint32_t, int32_t, const char *, uint32_t);
WASI(path_readlink) int32_t w_readlink(int32_t, const char *, uint32_t, char *, uint32_t, uint32_t *);
WASI(path_filestat_get) int32_t w_stat(int32_t, int32_t, const char *, uint32_t, void *);
WASI(poll_oneoff) int32_t w_poll(const void *, void *, uint32_t, uint32_t *);
WASI(random_get) int32_t w_random(void *, uint32_t);

enum { O_CREAT = 1, O_DIRECTORY = 2, O_EXCL = 4, O_TRUNC = 8, FOLLOW = 1, READ = 2, WRITE = 64, FIRST_DIR = 3 };
struct bytes {
	const void *p;
	uint32_t n;
};

// number makes n the output, in decimal.
static inline void number(uint32_t n) {
	char digits[11];
	int i = 10;
	digits[i] = 0;
	do digits[--i] = '0' + n % 10;
	while (n /= 10);
	output(digits + i);
}

// input copies the input into buf and says how long it is.
static inline uint32_t input(char *buf, uint32_t most) {
	uint64_t n = x_input_length();
	if (n > most) n = most;
	for (uint64_t i = 0; i < n; i++) buf[i] = (char)x_input_load_u8(i);
	return (uint32_t)n;
}

// pages is fresh memory of n pages of 64 KiB; the guest traps when there is
// none.
static inline char *pages(uint32_t n) {
	unsigned long at = __builtin_wasm_memory_grow(0, n);
	if (at == (unsigned long)-1) __builtin_trap();
	return (char *)(at << 16);
}
