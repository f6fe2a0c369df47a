/*
 * event.h
 *		The untrusted text of a notification becomes a checked struct.
 */
#ifndef EVENT_H
#define EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"

#define EVENT_STREAM_MAX	1024
#define EVENT_NAME_MAX		40

enum event_type
{
	EVENT_PROGRESS,				/* a state; the newest replaces the others */
	EVENT_REVOKED,				/* who may watch has changed: ask again */
	EVENT_HEARTBEAT,			/* the whole path from the worker works */
	EVENT_DISCONNECT,			/* whoever is of this owner has to go */
	EVENT_LIST					/* anything else: each one is to be told */
};

struct event
{
	enum event_type type;
	char		name[EVENT_NAME_MAX + 1];	/* of an EVENT_LIST */
	char	   *stream;			/* NULL for a heartbeat */
	int64_t		version;
	bool		final;
	bool		reconnect;		/* EVENT_DISCONNECT: and may come again */
	int64_t		emitted_us;		/* since 1970, by the sender's clock; 0: not
								 * said */
	int64_t		received_us;	/* by clock_us(); 0: not known */
	int64_t		under_way_us;	/* from one to the other */
	struct msg *payload;		/* NULL: left out, to be read */
};

bool		event_parse(const char *raw, size_t len, struct event *event) must_check;
const char *event_owner(const struct event *event);
void		event_clear(struct event *event);

#endif							/* EVENT_H */
