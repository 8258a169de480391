// exit: ends itself in its initialiser, with the code 0: run has not run.
#define CODE 0
#include "exit-initialize.c"
