/*
 * interval.c
 *		How seldom a client wants to be told.
 *
 * The one member of an identifier that the bridge reads, since it is about the
 * connection and not about what is watched: {"min_interval_ms":1000}.  What is
 * no integer asks for nothing, and what is out of range for the nearest there is:
 * a client that wants less has it at worst a little differently, and is not
 * turned away for it.
 */
#include "interval.h"

#include <jansson.h>

/* 0: as soon as there is something. */
int
interval_wanted_ms(const char *identifier, size_t len)
{
	json_t	   *root = json_loadb(identifier, len, JSON_REJECT_DUPLICATES, NULL);
	json_int_t	wanted_ms = json_integer_value(json_object_get(root, "min_interval_ms"));

	json_decref(root);
	if (wanted_ms < 0)
		return 0;
	return wanted_ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS : (int) wanted_ms;
}
