// Files through wasi-libc. The input is "PATH" or "PATH\nCONTENT".
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "extism.h"

static char path[4096], *content;
static void input(void) {
	uint64_t n = x_input_length();
	if (n >= sizeof path) n = sizeof path - 1;
	for (uint64_t i = 0; i < n; i++) path[i] = (char)x_input_load_u8(i);
	path[n] = 0;
	content = strchr(path, '\n');
	if (content) *content++ = 0;
}
// failed reports errno by its name.
static int32_t failed(void) {
	const char *s = strerror(errno);
	x_error_set(block(s, strlen(s)));
	return 1;
}
static int32_t done(const char *s, long n) {
	x_output_set(block(s, (uint64_t)n), (uint64_t)n);
	return 0;
}

EXPORT(read) int32_t read_(void) {
	static char buf[65536];
	input();
	int fd = open(path, O_RDONLY);
	if (fd < 0) return failed();
	ssize_t n = read(fd, buf, sizeof buf);
	if (n < 0) return failed();
	close(fd);
	return done(buf, n);
}
static int32_t write_as(int flags) {
	input();
	int fd = open(path, flags, 0644);
	if (fd < 0) return failed();
	if (content && write(fd, content, strlen(content)) < 0) return failed();
	if (close(fd) < 0) return failed();
	return 0;
}
EXPORT(write) int32_t write_(void) { return write_as(O_WRONLY | O_CREAT | O_TRUNC); }
EXPORT(append) int32_t append(void) { return write_as(O_WRONLY | O_CREAT | O_APPEND); }
EXPORT(exclusive) int32_t exclusive(void) { return write_as(O_WRONLY | O_CREAT | O_EXCL); }
EXPORT(truncate_reading) int32_t truncate_reading(void) { return write_as(O_RDONLY | O_TRUNC); }
EXPORT(create_reading) int32_t create_reading(void) { return write_as(O_RDONLY | O_CREAT); }
EXPORT(list) int32_t list(void) {
	static char out[65536];
	input();
	out[0] = 0;
	DIR *d = opendir(path);
	if (!d) return failed();
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.') continue;
		strcat(out, e->d_name);
		strcat(out, e->d_type == DT_DIR ? "/ " : " ");
	}
	closedir(d);
	return done(out, strlen(out));
}
EXPORT(size) int32_t size(void) {
	struct stat st;
	char out[32];
	input();
	if (stat(path, &st) < 0) return failed();
	return done(out, snprintf(out, sizeof out, "%lld", (long long)st.st_size));
}
EXPORT(mkdir) int32_t mkdir_(void) {
	input();
	return mkdir(path, 0755) < 0 ? failed() : 0;
}
EXPORT(remove) int32_t remove_(void) {
	input();
	return unlink(path) < 0 ? failed() : 0;
}
EXPORT(rmdir) int32_t rmdir_(void) {
	input();
	return rmdir(path) < 0 ? failed() : 0;
}
EXPORT(rename) int32_t rename_(void) {
	input();
	return rename(path, content) < 0 ? failed() : 0;
}
EXPORT(link) int32_t link_(void) {
	input();
	return link(path, content) < 0 ? failed() : 0;
}
EXPORT(symlink) int32_t symlink_(void) {
	input();
	return symlink(path, content) < 0 ? failed() : 0;
}
EXPORT(touch) int32_t touch(void) {
	input();
	struct timespec t[2] = {{1000000000, 0}, {1000000000, 0}};
	return utimensat(AT_FDCWD, path, t, 0) < 0 ? failed() : 0;
}
// Opens until it is told no, and says how often it was not.
EXPORT(open_many) int32_t open_many(void) {
	char out[64];
	int n = 0;
	input();
	while (open(path, O_RDONLY) >= 0) n++;
	return done(out, snprintf(out, sizeof out, "%d", n));
}
// The number of the descriptor that a file gets, and of one more.
EXPORT(descriptor) int32_t descriptor(void) {
	char out[64];
	input();
	int one = open(path, O_RDONLY), two = open(path, O_RDONLY);
	close(one);
	close(two);
	return done(out, snprintf(out, sizeof out, "%d %d", one, two));
}
// Writes for ever.
EXPORT(fill) int32_t fill(void) {
	static char buf[1 << 16];
	input();
	int fd = open(path, O_WRONLY | O_CREAT, 0644);
	if (fd < 0) return failed();
	for (;;) {
		lseek(fd, 0, SEEK_SET);
		if (write(fd, buf, sizeof buf) < 0) return failed();
	}
}
