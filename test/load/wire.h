/*
 * wire.h
 *		Messages in a stream of bytes: WebSocket frames, or Server-Sent Events.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_kind
{
	WIRE_NONE,					/* not complete yet */
	WIRE_TEXT,
	WIRE_PING,
	WIRE_CLOSE,
	WIRE_OTHER
};

struct wire_message
{
	enum wire_kind kind;
	const char *text;
	size_t		len;
};

size_t		wire_next_frame(const char *data, size_t len, struct wire_message *message);
size_t		wire_next_event(const char *data, size_t len, struct wire_message *message);
size_t		wire_put_frame(char *out, int opcode, const char *text, size_t len);
bool		wire_find_integer(const struct wire_message *message, const char *key, int64_t *value);
bool		wire_find_decimal(const struct wire_message *message, const char *key, double *value);

#endif							/* WIRE_H */
