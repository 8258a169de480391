// What the guests here use of the Extism ABI and of WASI.
#pragma once
#include <stdint.h>

#define ENV(name) __attribute__((import_module("extism:host/env"), import_name(#name)))
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

ENV(alloc) uint64_t x_alloc(uint64_t);
ENV(free) void x_free(uint64_t);
ENV(length) uint64_t x_length(uint64_t);
ENV(load_u8) uint32_t x_load_u8(uint64_t);
ENV(load_u64) uint64_t x_load_u64(uint64_t);
ENV(store_u8) void x_store_u8(uint64_t, uint32_t);
ENV(store_u64) void x_store_u64(uint64_t, uint64_t);
ENV(input_offset) uint64_t x_input_offset(void);
ENV(input_length) uint64_t x_input_length(void);
ENV(input_load_u8) uint32_t x_input_load_u8(uint64_t);
ENV(input_load_u64) uint64_t x_input_load_u64(uint64_t);
ENV(output_set) void x_output_set(uint64_t, uint64_t);
ENV(error_set) void x_error_set(uint64_t);
ENV(config_get) uint64_t x_config_get(uint64_t);
ENV(var_get) uint64_t x_var_get(uint64_t);
ENV(var_set) void x_var_set(uint64_t, uint64_t);
ENV(http_request) uint64_t x_http_request(uint64_t, uint64_t);
ENV(http_status_code) int32_t x_http_status_code(void);
ENV(http_headers) uint64_t x_http_headers(void);
ENV(log_debug) void x_log_debug(uint64_t);
ENV(log_info) void x_log_info(uint64_t);
ENV(log_warn) void x_log_warn(uint64_t);
ENV(log_error) void x_log_error(uint64_t);

static inline uint64_t length_of(const char *s) {
	uint64_t n = 0;
	while (s[n]) n++;
	return n;
}

// block copies bytes into a block of their own.
static inline uint64_t block(const char *s, uint64_t n) {
	uint64_t at = x_alloc(n);
	for (uint64_t i = 0; i < n; i++) x_store_u8(at + i, (unsigned char)s[i]);
	return at;
}
static inline uint64_t text(const char *s) { return block(s, length_of(s)); }
static inline void output(const char *s) { x_output_set(text(s), length_of(s)); }
