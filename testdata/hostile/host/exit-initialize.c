// exit: ends itself in its initialiser, with the code that was built in.
#include "host.h"
#ifndef CODE
#define CODE 3
#endif
EXPORT(_initialize) void initialize(void) { w_exit(CODE); }
EXPORT(run) void run(void) { output("has run"); }
