// Builds, prints, parses and compares JSON documents, with cJSON.
#include "words.h"
#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

static char *document(void) {
	cJSON *list = cJSON_CreateArray();
	for (int i = 0; i < 300; i++) {
		char text[60];
		words(text, sizeof text - 1);
		text[sizeof text - 1] = 0;
		cJSON *o = cJSON_CreateObject(), *tags = cJSON_CreateArray();
		cJSON_AddNumberToObject(o, "id", i);
		cJSON_AddNumberToObject(o, "share", draw() / 4294967296.0);
		cJSON_AddStringToObject(o, "text", text);
		cJSON_AddBoolToObject(o, "late", i % 3 == 0);
		for (int j = 0; j < 4; j++) cJSON_AddItemToArray(tags, cJSON_CreateNumber(draw() % 1000));
		cJSON_AddItemToObject(o, "tags", tags);
		cJSON_AddItemToArray(list, o);
	}
	char *text = cJSON_PrintUnformatted(list);
	cJSON_Delete(list);
	return text;
}

__attribute__((export_name("run"))) uint32_t run(uint32_t turns) {
	word_seed = 1;
	char *text = document();
	uint32_t s = 0;
	while (turns--) {
		cJSON *all = cJSON_Parse(text), *o;
		if (!all) return 0;
		cJSON_ArrayForEach(o, all) {
			s += cJSON_GetObjectItem(o, "id")->valueint + cJSON_GetArrayItem(cJSON_GetObjectItem(o, "tags"), s % 4)->valueint;
		}
		char *again = cJSON_PrintUnformatted(all);
		s += sum(again, strlen(again));
		free(again);
		cJSON_Delete(all);
	}
	free(text);
	return s;
}
