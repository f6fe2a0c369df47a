/*
 * cable.h
 *		A small Action Cable client: one connection, many subscriptions.
 */
#ifndef CABLE_H
#define CABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct cable;

/*
 * What the owner is told.  "message" lends its payload for the call; "closed"
 * is the last call, however the connection came to its end.
 */
struct cable_events
{
	void		(*confirmed) (void *arg, int64_t session_id);
	void		(*rejected) (void *arg, int64_t session_id);
	void		(*message) (void *arg, int64_t session_id, json_t *payload);
	void		(*closed) (void *arg, const char *why);
	void		(*timer) (void *arg);
};

/* The sessions are copied.  NULL if no connection could even be tried. */
extern struct cable *cable_create(int port, const char *token,
								  const int64_t *session_ids, int nsessions,
								  const struct cable_events *events, void *arg);
extern void cable_free(struct cable *cable);

/* Calls events->timer once, after so many microseconds. */
extern void cable_set_timer(struct cable *cable, int64_t delay_us);

/* Serves the connection until cable_stop() is called or it is closed. */
extern void cable_run(struct cable *cable);
extern void cable_stop(struct cable *cable);

#endif							/* CABLE_H */
