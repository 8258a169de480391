// exit, or ok when the code is 0: ends itself in the call. The input's first
// byte is the code.
#include "host.h"
EXPORT(run) void run(void) {
	output("before the end");
	w_exit((int32_t)x_input_load_u8(0));
}
// The codes that the runtime itself ends modules with when their time is over.
EXPORT(as_timeout) void as_timeout(void) { w_exit((int32_t)0xefffffff); }
EXPORT(as_cancel) void as_cancel(void) { w_exit((int32_t)0xffffffff); }
