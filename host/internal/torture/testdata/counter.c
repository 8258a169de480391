// A plugin whose every call is counted outside: it sends the number of the
// attempt and the idempotency key to the URL in its config, and gives back what
// that answers. A status other than 200 is an error with the answer as its text.
#include "extism.h"

static uint64_t put(uint64_t to, uint64_t from, uint64_t n) {
	for (uint64_t i = 0; i < n; i++) x_store_u8(to + i, x_load_u8(from + i));
	return to + n;
}

EXPORT(run) int32_t run(void) {
	uint64_t url = x_config_get(text("url")), attempt = x_config_get(text("host.attempt")), key = x_config_get(text("host.idempotency_key"));
	uint64_t nu = x_length(url), na = x_length(attempt), nk = x_length(key);

	uint64_t head = text("{\"method\":\"POST\",\"url\":\""), nh = x_length(head);
	uint64_t request = x_alloc(nh + nu + 2), to = put(put(request, head, nh), url, nu);
	x_store_u8(to, '"');
	x_store_u8(to + 1, '}');

	uint64_t sent = x_alloc(na + 1 + nk);
	to = put(sent, attempt, na);
	x_store_u8(to, ' ');
	put(to + 1, key, nk);

	uint64_t answer = x_http_request(request, sent);
	if (x_http_status_code() != 200) {
		x_error_set(answer);
		return 1;
	}
	x_output_set(answer, x_length(answer));
	return 0;
}
