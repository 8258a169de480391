/* The example plugin in C: it counts lines, words and bytes. */
#include "plugin.h"

PLUGIN_EXPORT(run) {
	plugin_bytes in = plugin_input();
	if (in.length == 0) return plugin_fail(PLUGIN_PERMANENT, "empty", "there is no text to count");

	int64_t lines = 0, words = 0;
	int in_word = 0;
	for (size_t i = 0; i < in.length; i++) {
		uint8_t c = in.data[i];
		int space = c == ' ' || (c >= '\t' && c <= '\r');
		if (!space && !in_word) words++;
		in_word = !space;
		if (c == '\n') lines++;
	}
	if (in.data[in.length - 1] != '\n') lines++;

	plugin_text out = {0};
	plugin_add(&out, "{\"lines\":");
	plugin_add_number(&out, lines);
	plugin_add(&out, ",\"words\":");
	plugin_add_number(&out, words);
	plugin_add(&out, ",\"bytes\":");
	plugin_add_number(&out, (int64_t)in.length);
	plugin_add(&out, "}");
	plugin_output(out.data, out.length);
	return PLUGIN_OK;
}
