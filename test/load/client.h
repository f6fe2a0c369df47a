/*
 * client.h
 *		One connection of the load client.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "stats.h"

enum client_stage
{
	CLIENT_WAITS,				/* until it is due to connect */
	CLIENT_CONNECTS,
	CLIENT_ASKED,				/* the answer to its request is awaited */
	CLIENT_OPEN,
	CLIENT_OVER					/* and does not come back */
};

struct client
{
	int			fd;
	enum client_stage stage;
	bool		is_slow;		/* of those that are stopped; not in the
								 * samples */
	bool		is_stopped;
	bool		is_woken;		/* and has not had the newest state since */
	bool		is_ready;
	bool		has_state;		/* since it connected */
	bool		has_awaited;
	int			index;
	long		id;
	const char *token;
	int64_t		seq;			/* of the newest state it ever had, or -1 */
	double		due_s;
	double		started_s;
	uint64_t	old_bytes;		/* of states that were old when it woke */
	int			old_states;
	int64_t		skipped;		/* numbers it never got, since it was stopped */
	char	   *rest;			/* of a message that is not complete */
	size_t		rest_len;
};

/* The newest state of an id, and when the first client had it. */
struct first
{
	int64_t		seq;
	double		read_s;
};

struct load
{
	struct options options;
	struct stats stats;
	struct client *clients;
	struct first *firsts;		/* by id */
	int			epoll;
	int			waiting;
	int			under_way;		/* handshakes */
	int			ready;
	int			over;
	int64_t		newest;			/* the highest number anybody has had */
	int64_t		awaited;		/* -1: nothing */
	int			have_awaited;
	int64_t		woken_at;		/* the newest when the slow ones woke */
};

void		client_connect(struct load *load, struct client *client);
void		client_on_event(struct load *load, struct client *client, unsigned events);
void		client_cut(struct load *load, struct client *client);
void		client_stop(struct load *load, struct client *client);
void		client_wake(struct load *load, struct client *client);

#endif							/* CLIENT_H */
