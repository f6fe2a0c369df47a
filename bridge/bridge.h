/*
 * bridge.h
 *		The parts of one running bridge, and what they tell each other.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "conninfo.h"

struct bridge
{
	const struct config *config;
	const struct conninfo *conninfo;
	struct loop *loop;
	struct intern *intern;
	struct hub *hub;
	struct ask *ask;
	struct auth *auth;
	struct listen *listen;
	struct query *query;
	struct conns *conns;
	struct accepts *accepts;
	struct www *www;			/* NULL: no files are served */

	int64_t		now_ms;			/* monotonic, as of this turn */
	bool		is_stopping;
	int64_t		stop_due_ms;

	bool		has_keys;		/* they were read at least once */
	bool		is_reading_keys;
	bool		wants_keys;
	int64_t		keys_asked_ms;
};

void		bridge_open(struct bridge *bridge, const struct config *config,
						const struct conninfo *conninfo);
void		bridge_close(struct bridge *bridge);
void		bridge_want_keys(struct bridge *bridge);
bool		bridge_is_ready(const struct bridge *bridge, const char **why);

/* Called by the loop. */
void		bridge_turn(struct bridge *bridge);
void		bridge_tick(struct bridge *bridge, int64_t now_ms);
void		bridge_stop(struct bridge *bridge);

#endif							/* BRIDGE_H */
