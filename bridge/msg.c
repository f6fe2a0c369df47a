/*
 * msg.c
 *		An immutable, shared piece of bytes: a payload, or a file.
 *
 * A payload is held by its stream and, while queries are under way, by the
 * table of kept notifications; a file by everybody who is being sent it.  One
 * thread, so the count is a plain one.
 */
#include "msg.h"

#include <stdlib.h>
#include <string.h>

struct msg *
msg_create(const char *bytes, size_t len)
{
	struct msg *msg = mem_alloc(sizeof(*msg) + len + 1);

	msg->refs = 1;
	msg->len = len;
	if (len > 0)
		memcpy(msg->bytes, bytes, len);
	msg->bytes[len] = '\0';
	return msg;
}

struct msg *
msg_hold(struct msg *msg)
{
	if (msg)
		msg->refs++;
	return msg;
}

void
msg_drop(struct msg *msg)
{
	if (msg && --msg->refs == 0)
		free(msg);
}
