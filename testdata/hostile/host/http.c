// Sends the request that is its input; the status and the body go out.
#include "host.h"
EXPORT(run) void run(void) {
	uint64_t body = x_http_request(x_input_offset(), 0), n = x_length(body);
	int32_t status = x_http_status_code();
	uint64_t at = x_alloc(n + 4), to = at;
	for (int d = 100; d; d /= 10) x_store_u8(to++, '0' + status / d % 10);
	x_store_u8(to++, ' ');
	for (uint64_t i = 0; i < n; i++) x_store_u8(to++, x_load_u8(body + i));
	x_output_set(at, n + 4);
}
// The same request, as often as it may be sent; its input is kept.
EXPORT(flood) void flood(void) {
	uint64_t n = x_input_length();
	for (;;) {
		uint64_t request = x_alloc(n);
		for (uint64_t j = 0; j < n; j++) x_store_u8(request + j, x_input_load_u8(j));
		x_http_request(request, 0);
	}
}
// A request of 32 MiB of headers, each with a name of its own.
EXPORT(headers) void headers(void) {
	static const char head[] = "{\"url\":\"http://127.0.0.1:9/\",\"headers\":{", none[] = "\"none\":\"\"}}";
	uint64_t at = x_alloc(32 << 20), to = at, end = at + (32 << 20) - sizeof none;
	for (int i = 0; head[i]; i++) x_store_u8(to++, (unsigned char)head[i]);
	for (uint32_t k = 0; to < end - 12; k++) {
		char one[] = "\"aaaaa\":\"\",";
		for (int i = 0; i < 5; i++) one[1 + i] = 'a' + (k >> (4 * i)) % 16;
		for (int i = 0; one[i]; i++) x_store_u8(to++, (unsigned char)one[i]);
	}
	while (to <= end) x_store_u8(to++, ' ');
	for (int i = 0; none[i]; i++) x_store_u8(to++, (unsigned char)none[i]);
	x_http_request(at, 0);
}
