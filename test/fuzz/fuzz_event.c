/*
 * fuzz_event.c
 *		Whatever is NOTIFYed is understood whole or not at all.
 */
#include <jansson.h>

#include "codes.h"
#include "event.h"
#include "fuzz.h"
#include "log.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

/* The payload is the very JSON that "data" is. */
static void
check_payload(const char *text, size_t len, const struct msg *payload)
{
	json_t	   *root = json_loadb(text, len, 0, NULL);
	json_t	   *data = json_loadb(payload->bytes, payload->len, JSON_REJECT_DUPLICATES, NULL);

	must_hold(json_is_object(data));
	must_hold(json_equal(data, json_object_get(root, "data")));
	json_decref(data);
	json_decref(root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = fuzz_text(data, size);
	struct event event;
	size_t		len = strlen(text);

	if (event_parse(text, len, &event))
	{
		must_hold(event.type == EVENT_HEARTBEAT || event.stream);
		must_hold(event.stream == NULL || (event.stream[0] && strlen(event.stream) <= EVENT_STREAM_MAX));
		must_hold(event.type != EVENT_PROGRESS || event.version > 0);
		must_hold(event.type != EVENT_DISCONNECT || event_owner(&event)[0]);
		must_hold(event.payload == NULL || event.type == EVENT_PROGRESS || event.type == EVENT_LIST);
		must_hold(strlen(event.name) <= EVENT_NAME_MAX);
		if (event.payload)
			check_payload(text, len, event.payload);
		event_clear(&event);
	}
	free(text);
	return 0;
}
