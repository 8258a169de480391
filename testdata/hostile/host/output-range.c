// trap: output, input and error pointers out of range.
#include "host.h"
EXPORT(output_long) void output_long(void) { x_output_set(x_alloc(8), 1 << 20); }
EXPORT(output_low) void output_low(void) { x_output_set(8, 8); }
EXPORT(output_wraps) void output_wraps(void) { x_output_set(~0ull - 4, 64); }
EXPORT(output_wraps_length) void output_wraps_length(void) { x_output_set(x_alloc(8), ~0ull - 8); }
EXPORT(output_huge) void output_huge(void) { x_output_set(x_alloc(8), 900ull << 20); }
EXPORT(input_wraps) void input_wraps(void) { x_input_set(~0ull - 4, 64); }
EXPORT(error_nowhere) int32_t error_nowhere(void) {
	x_error_set(123456789);
	return 1;
}
EXPORT(error_inside) int32_t error_inside(void) {
	x_error_set(block("a long text", 11) + 4);
	return 1;
}
EXPORT(error_high) int32_t error_high(void) {
	x_error_set(~0ull);
	return 1;
}
// A block whose length the guest has written over.
EXPORT(error_forged) int32_t error_forged(void) {
	uint64_t at = x_alloc(16);
	x_store_u64(at - 8, ~0ull >> 1);
	x_error_set(at);
	return 1;
}
