// Leaves behind what a call can leave: memory, vars, blocks, an error, open
// files. look says what it finds: a call that sees anything but 00000 sees
// another call's.
#include "host.h"
static volatile int mark;
static char path[] = "a.txt", out[6] = "00000";
EXPORT(run) void run(void) {
	int32_t fd;
	mark = 0x5ec2e7;
	char *more = pages(2);
	for (int i = 0; i < 65536; i++) more[i] = 'S';
	x_var_set(text("left"), text("secret of the call before"));
	for (int i = 0; i < 1000; i++) block("secret of the call before", 25);
	for (int i = 0; i < 8; i++) w_path_open(FIRST_DIR, FOLLOW, path, 5, 0, READ, READ, 0, &fd);
	w_fd_close(1);
	output("secret of the call before");
}
// fails leaves an error text too.
EXPORT(fails) int32_t fails(void) {
	run();
	x_error_set(text("secret of the call before"));
	return 1;
}
EXPORT(traps) void traps(void) {
	run();
	__builtin_trap();
}
EXPORT(spins) void spins(void) {
	run();
	for (;;) __asm__ volatile("");
}
EXPORT(look) void look(void) {
	char byte;
	struct bytes one = {&byte, 1}, nothing = {0, 0};
	uint32_t n;
	if (mark || __builtin_wasm_memory_size(0) > 3) out[0] = '1';
	if (x_var_get(text("left"))) out[1] = '1';
	// Fresh blocks hold nothing, at whatever offset.
	for (int i = 0; i < 2000; i++) {
		uint64_t at = x_alloc(32);
		for (int j = 0; j < 4; j++)
			if (x_load_u64(at + 8 * j)) out[2] = '1';
	}
	for (int fd = FIRST_DIR + 1; fd < 40; fd++)
		if (!w_fd_read(fd, &one, 1, &n)) out[3] = '1';
	if (w_fd_write(1, &nothing, 1, &n)) out[4] = '1'; // standard output was closed
	x_output_set(block(out, 5), 5);
}
