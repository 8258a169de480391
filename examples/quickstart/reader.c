/*
 * The quickstart's own plugin. It reads one paragraph: how many words, which is
 * the longest, and a bar to draw. Two things fail on purpose:
 *
 *   run       with the setting stumble = N, the first attempt at every
 *             paragraph of more than N words fails as an overloaded service
 *             would, and asks to be left alone for 300 ms
 *   headline  is always down
 *
 * The third function, frame, draws a frame around a text.
 */
#include "../wasm/c/plugin.h"

static int is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int is_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80; }

static int64_t number(plugin_bytes text) {
	int64_t n = 0;
	for (size_t i = 0; i < text.length && text.data[i] >= '0' && text.data[i] <= '9'; i++) n = n * 10 + (text.data[i] - '0');
	return n;
}

PLUGIN_EXPORT(run) {
	plugin_bytes in = plugin_input();
	int64_t words = 0;
	size_t best = 0, best_length = 0;
	for (size_t i = 0; i < in.length;) {
		while (i < in.length && is_space(in.data[i])) i++;
		size_t start = i;
		while (i < in.length && !is_space(in.data[i])) i++;
		if (i > start) words++;
		/* the longest word, without the punctuation around it */
		size_t end = i;
		while (start < end && !is_letter(in.data[start])) start++;
		while (end > start && !is_letter(in.data[end - 1])) end--;
		if (end - start > best_length) best = start, best_length = end - start;
	}
	if (words == 0) return plugin_fail(PLUGIN_PERMANENT, "empty", "the paragraph has no words");

	int64_t stumble = number(plugin_config("stumble"));
	if (stumble > 0 && words > stumble && number(plugin_config("host.attempt")) == 1)
		return plugin_fail_after(PLUGIN_TRANSIENT, "overloaded", "too many words at once, try again in a moment", 300);

	plugin_text out = {0};
	plugin_add(&out, "{\"words\":");
	plugin_add_number(&out, words);
	plugin_add(&out, ",\"longest\":");
	plugin_add_quoted(&out, in.data + best, best_length);
	plugin_add(&out, ",\"bar\":\"");
	for (int64_t i = 0; i < words; i += 4) plugin_add(&out, "\xe2\x96\x88"); /* a full block */
	plugin_add(&out, "\"}");
	plugin_output(out.data, out.length);
	return PLUGIN_OK;
}

PLUGIN_EXPORT(headline) {
	return plugin_fail(PLUGIN_TRANSIENT, "unavailable", "the headline service is down");
}

/* How wide a line is on a screen: its characters, not its bytes. */
static size_t width(const uint8_t *line, size_t length) {
	size_t n = 0;
	for (size_t i = 0; i < length; i++) n += (line[i] & 0xc0) != 0x80;
	return n;
}

static void repeat(plugin_text *t, const char *s, size_t n) {
	while (n--) plugin_add(t, s);
}

PLUGIN_EXPORT(frame) {
	plugin_bytes in = plugin_input();
	while (in.length > 0 && is_space(in.data[in.length - 1])) in.length--;
	if (in.length == 0) return plugin_fail(PLUGIN_PERMANENT, "empty", "there is no text to frame");

	size_t widest = 0;
	for (size_t i = 0, start = 0; i <= in.length; i++)
		if (i == in.length || in.data[i] == '\n') {
			size_t w = width(in.data + start, i - start);
			if (w > widest) widest = w;
			start = i + 1;
		}
	plugin_text out = {0};
	plugin_add(&out, "\xe2\x95\xad"); /* the upper left corner */
	repeat(&out, "\xe2\x94\x80", widest + 2);
	plugin_add(&out, "\xe2\x95\xae\n");
	for (size_t i = 0, start = 0; i <= in.length; i++)
		if (i == in.length || in.data[i] == '\n') {
			plugin_add(&out, "\xe2\x94\x82 ");
			plugin_add_bytes(&out, in.data + start, i - start);
			repeat(&out, " ", widest - width(in.data + start, i - start));
			plugin_add(&out, " \xe2\x94\x82\n");
			start = i + 1;
		}
	plugin_add(&out, "\xe2\x95\xb0");
	repeat(&out, "\xe2\x94\x80", widest + 2);
	plugin_add(&out, "\xe2\x95\xaf");
	plugin_output(out.data, out.length);
	return PLUGIN_OK;
}
