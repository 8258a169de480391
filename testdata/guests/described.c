// Says what it is, and asks for less than a workflow may grant.
#include "extism.h"

EXPORT(describe) int32_t describe(void) {
	output("{\"name\":\"described\",\"version\":\"1.2.3\","
	       "\"functions\":{\"run\":{\"description\":\"asks its input's URL\",\"input\":{\"type\":\"object\"}}},"
	       "\"allow\":{\"http\":[\"http://127.0.0.1:1\",\"https://*.example.com\"]}}");
	return 0;
}
EXPORT(run) int32_t run(void) {
	uint64_t body = x_http_request(x_input_offset(), 0);
	x_output_set(body, x_length(body));
	return 0;
}
