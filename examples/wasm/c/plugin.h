/*
 * plugin.h: everything a plugin in C needs, in one header and without a libc.
 *
 *   #include "plugin.h"
 *
 *   PLUGIN_EXPORT(run) {
 *       plugin_bytes in = plugin_input();
 *       if (in.length == 0)
 *           return plugin_fail(PLUGIN_PERMANENT, "empty", "there is no text");
 *       plugin_output(in.data, in.length);
 *       return PLUGIN_OK;
 *   }
 *
 * It speaks the Extism ABI. Memory that these functions return belongs to the
 * call: nothing has to be freed, and nothing may be kept for the next call.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define PLUGIN_OK 0

/* The class of an error: whether trying again may help. */
#define PLUGIN_TRANSIENT "transient"
#define PLUGIN_PERMANENT "permanent"
#define PLUGIN_SYSTEM "system"

typedef struct { uint8_t *data; size_t length; } plugin_bytes;
typedef struct { int status; plugin_bytes headers; /* JSON object */ plugin_bytes body; } plugin_response;
typedef enum { PLUGIN_DEBUG, PLUGIN_INFO, PLUGIN_WARN, PLUGIN_ERROR } plugin_level;

/* ---- the host's functions; a block is memory of the host's, 0 is none ---- */

#define PLUGIN_IMPORT(name) __attribute__((import_module("extism:host/env"), import_name(name)))
typedef uint64_t plugin_block;

PLUGIN_IMPORT("alloc") plugin_block plugin_host_alloc(uint64_t length);
PLUGIN_IMPORT("length") uint64_t plugin_host_length(plugin_block at);
PLUGIN_IMPORT("load_u8") uint32_t plugin_host_load_u8(plugin_block at);
PLUGIN_IMPORT("load_u64") uint64_t plugin_host_load_u64(plugin_block at);
PLUGIN_IMPORT("store_u8") void plugin_host_store_u8(plugin_block at, uint32_t v);
PLUGIN_IMPORT("store_u64") void plugin_host_store_u64(plugin_block at, uint64_t v);
PLUGIN_IMPORT("input_length") uint64_t plugin_host_input_length(void);
PLUGIN_IMPORT("input_load_u8") uint32_t plugin_host_input_load_u8(uint64_t i);
PLUGIN_IMPORT("input_load_u64") uint64_t plugin_host_input_load_u64(uint64_t i);
PLUGIN_IMPORT("output_set") void plugin_host_output_set(plugin_block at, uint64_t length);
PLUGIN_IMPORT("error_set") void plugin_host_error_set(plugin_block at);
PLUGIN_IMPORT("config_get") plugin_block plugin_host_config_get(plugin_block key);
PLUGIN_IMPORT("var_get") plugin_block plugin_host_var_get(plugin_block key);
PLUGIN_IMPORT("var_set") void plugin_host_var_set(plugin_block key, plugin_block value);
PLUGIN_IMPORT("http_request") plugin_block plugin_host_http_request(plugin_block request, plugin_block body);
PLUGIN_IMPORT("http_status_code") int32_t plugin_host_http_status_code(void);
PLUGIN_IMPORT("http_headers") plugin_block plugin_host_http_headers(void);
PLUGIN_IMPORT("log_debug") void plugin_host_log_debug(plugin_block message);
PLUGIN_IMPORT("log_info") void plugin_host_log_info(plugin_block message);
PLUGIN_IMPORT("log_warn") void plugin_host_log_warn(plugin_block message);
PLUGIN_IMPORT("log_error") void plugin_host_log_error(plugin_block message);

/* ---- memory of the call ---- */

#ifdef __wasi__ /* wasi-libc owns the heap */
#include <stdlib.h>
static inline void plugin_begin(void) {}
static inline void *plugin_alloc(size_t n) {
	void *p = malloc(n ? n : 1);
	if (!p) __builtin_trap();
	return p;
}
#else
extern unsigned char __heap_base; /* placed by the linker */
static unsigned char *plugin_top;
static inline void plugin_begin(void) { plugin_top = &__heap_base; }
/* Memory until the end of the call, aligned to 8; a trap when there is none. */
static inline void *plugin_alloc(size_t n) {
	uintptr_t at = ((uintptr_t)plugin_top + 7) & ~(uintptr_t)7;
	uint64_t end = (uint64_t)at + n;
	uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
	if (end > have) {
		uint64_t pages = (end - have + 0xffff) >> 16;
		if (end > UINT32_MAX || __builtin_wasm_memory_grow(0, (size_t)pages) == (size_t)-1) __builtin_trap();
	}
	plugin_top = (unsigned char *)(uintptr_t)end;
	return (void *)at;
}
#endif

/* An exported function: PLUGIN_EXPORT(name) { ...; return PLUGIN_OK; } */
#define PLUGIN_EXPORT(name)                                                  \
	static int32_t plugin_body_##name(void);                                 \
	__attribute__((export_name(#name))) int32_t plugin_export_##name(void) { \
		plugin_begin();                                                      \
		return plugin_body_##name();                                         \
	}                                                                        \
	static int32_t plugin_body_##name(void)

static inline size_t plugin_length(const char *s) {
	size_t n = 0;
	while (s[n]) n++;
	return n;
}

/* Copies to the host, eight bytes a call. */
static inline plugin_block plugin_give(const void *data, size_t n) {
	const uint8_t *p = data;
	if (n == 0) return 0;
	plugin_block at = plugin_host_alloc(n);
	if (at == 0) __builtin_trap(); /* the host has no memory left */
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t v;
		__builtin_memcpy(&v, p + i, 8);
		plugin_host_store_u64(at + i, v);
	}
	for (; i < n; i++) plugin_host_store_u8(at + i, p[i]);
	return at;
}

/* Copies from the host. The byte after the end is 0, so that text is a string. */
static inline plugin_bytes plugin_take(plugin_block at) {
	plugin_bytes b = {0, at ? (size_t)plugin_host_length(at) : 0};
	b.data = plugin_alloc(b.length + 1);
	size_t i = 0;
	for (; i + 8 <= b.length; i += 8) {
		uint64_t v = plugin_host_load_u64(at + i);
		__builtin_memcpy(b.data + i, &v, 8);
	}
	for (; i < b.length; i++) b.data[i] = (uint8_t)plugin_host_load_u8(at + i);
	b.data[b.length] = 0;
	return b;
}

/* ---- text ---- */

/* A text that grows: plugin_text t = {0}; plugin_add(&t, "n="); ... */
typedef struct { char *data; size_t length, room; } plugin_text;

static inline void plugin_add_bytes(plugin_text *t, const void *data, size_t n) {
	if (t->length + n + 1 > t->room) {
		size_t room = (t->length + n + 1) * 2;
		char *grown = plugin_alloc(room);
		for (size_t i = 0; i < t->length; i++) grown[i] = t->data[i];
		t->data = grown;
		t->room = room;
	}
	for (size_t i = 0; i < n; i++) t->data[t->length + i] = ((const char *)data)[i];
	t->length += n;
	t->data[t->length] = 0;
}
static inline void plugin_add(plugin_text *t, const char *s) { plugin_add_bytes(t, s, plugin_length(s)); }
static inline void plugin_add_number(plugin_text *t, int64_t n) {
	char digits[20];
	size_t i = sizeof digits;
	uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	do digits[--i] = (char)('0' + u % 10);
	while (u /= 10);
	if (n < 0) plugin_add(t, "-");
	plugin_add_bytes(t, digits + i, sizeof digits - i);
}
/* Adds a JSON string. The bytes must be UTF-8. */
static inline void plugin_add_quoted(plugin_text *t, const void *data, size_t n) {
	const uint8_t *p = data;
	plugin_add(t, "\"");
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\') plugin_add(t, "\\");
		if (p[i] < 0x20) {
			plugin_add(t, p[i] < 0x10 ? "\\u000" : "\\u001");
			plugin_add_bytes(t, &"0123456789abcdef"[p[i] & 15], 1);
		} else {
			plugin_add_bytes(t, p + i, 1);
		}
	}
	plugin_add(t, "\"");
}

/* ---- what a plugin does ---- */

static inline plugin_bytes plugin_input(void) {
	plugin_bytes b = {0, (size_t)plugin_host_input_length()};
	b.data = plugin_alloc(b.length + 1);
	size_t i = 0;
	for (; i + 8 <= b.length; i += 8) {
		uint64_t v = plugin_host_input_load_u64(i);
		__builtin_memcpy(b.data + i, &v, 8);
	}
	for (; i < b.length; i++) b.data[i] = (uint8_t)plugin_host_input_load_u8(i);
	b.data[b.length] = 0;
	return b;
}

static inline void plugin_output(const void *data, size_t n) { plugin_host_output_set(plugin_give(data, n), n); }

/* Fails the call: `return plugin_fail(...)`. The host waits at least
 * retry_after_ms before it tries again; 0 leaves that to its policy. */
static inline int32_t plugin_fail_after(const char *class_, const char *code, const char *message, int64_t retry_after_ms) {
	plugin_text t = {0};
	plugin_add(&t, "{\"class\":");
	plugin_add_quoted(&t, class_, plugin_length(class_));
	plugin_add(&t, ",\"code\":");
	plugin_add_quoted(&t, code, plugin_length(code));
	plugin_add(&t, ",\"message\":");
	plugin_add_quoted(&t, message, plugin_length(message));
	if (retry_after_ms > 0) {
		plugin_add(&t, ",\"retry_after_ms\":");
		plugin_add_number(&t, retry_after_ms);
	}
	plugin_add(&t, "}");
	plugin_host_error_set(plugin_give(t.data, t.length));
	return 1;
}
static inline int32_t plugin_fail(const char *class_, const char *code, const char *message) {
	return plugin_fail_after(class_, code, message, 0);
}

/* A setting; "secret.NAME" is a granted secret, "host.attempt" and the like
 * tell about the call. The length is 0 where there is none. */
static inline plugin_bytes plugin_config(const char *key) {
	return plugin_take(plugin_host_config_get(plugin_give(key, plugin_length(key))));
}

static inline plugin_bytes plugin_var(const char *key) {
	return plugin_take(plugin_host_var_get(plugin_give(key, plugin_length(key))));
}
static inline void plugin_set_var(const char *key, const void *data, size_t n) {
	plugin_host_var_set(plugin_give(key, plugin_length(key)), plugin_give(data, n));
}

static inline void plugin_log(plugin_level level, const char *message) {
	plugin_block at = plugin_give(message, plugin_length(message));
	if (at == 0) return;
	switch (level) {
	case PLUGIN_DEBUG: plugin_host_log_debug(at); break;
	case PLUGIN_INFO: plugin_host_log_info(at); break;
	case PLUGIN_WARN: plugin_host_log_warn(at); break;
	default: plugin_host_log_error(at);
	}
}

/* Sends a request; headers is a JSON object or 0. When there is no answer, host
 * ends the call, with the code http_failed, and this does not return; another
 * host may report status 0. */
static inline plugin_response plugin_http(const char *method, const char *url, const char *headers, const void *body, size_t n) {
	plugin_text t = {0};
	plugin_add(&t, "{\"method\":");
	plugin_add_quoted(&t, method, plugin_length(method));
	plugin_add(&t, ",\"url\":");
	plugin_add_quoted(&t, url, plugin_length(url));
	plugin_add(&t, ",\"headers\":");
	plugin_add(&t, headers ? headers : "{}");
	plugin_add(&t, "}");
	plugin_response r;
	plugin_block answer = plugin_host_http_request(plugin_give(t.data, t.length), plugin_give(body, n));
	r.status = plugin_host_http_status_code();
	r.body = plugin_take(answer);
	r.headers = plugin_take(plugin_host_http_headers());
	return r;
}

#endif
