/*
 * msg.h
 *		An immutable, shared piece of bytes.
 */
#ifndef MSG_H
#define MSG_H

#include <stddef.h>

#include "mem.h"

struct msg
{
	unsigned	refs;
	size_t		len;
	char		bytes[];		/* "len" bytes and a NUL */
};

struct msg *msg_create(const char *bytes, size_t len) must_check;
struct msg *msg_hold(struct msg *msg);
void		msg_drop(struct msg *msg);

#endif							/* MSG_H */
