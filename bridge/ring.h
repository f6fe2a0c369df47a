/*
 * ring.h
 *		The last events of a stream.
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stdint.h>

#include "msg.h"

#define RING_EVENTS_MAX	64
#define RING_BYTES_MAX	65536

struct ring;

struct ring_event
{
	struct msg *type;
	struct msg *data;			/* NULL: left out */
};

struct ring *ring_create(void) must_check;
void		ring_free(struct ring *ring);
uint64_t	ring_push(struct ring *ring, const char *type, struct msg *data);
uint64_t	ring_newest(const struct ring *ring);
const struct ring_event *ring_get(const struct ring *ring, uint64_t number);

#endif							/* RING_H */
