/*
 * drain.c
 *		Sending all clients away, spread over a while.
 *
 * Whoever is sent away comes again, to another bridge or to the next one here:
 * all at once they would be a storm of handshakes and questions.  So each gets a
 * moment of its own, in an order that is left to chance (by age, those would come
 * first who have come last, all from one page of news), and the timer wheel does
 * the rest.  Until then they are served as ever.
 *
 * A connection that only waits for a further request ends at once: its client
 * opens another one when it has one.  A request that is under way is answered.
 */
#include "drain.h"

#include <stdlib.h>

#include "conn.h"
#include "loop.h"
#include "parts.h"

struct drain
{
	int64_t		begin_ms;
	const int64_t *after_ms;	/* one for each client */
	int			count;
};

/*
 * So many moments, evenly spread, in any order.  "chance" is at least 0 and
 * below 1.  The caller frees them.
 */
int64_t *
drain_spread(int count, int64_t span_ms, double (*chance) (void))
{
	int64_t    *after_ms = mem_alloc(sizeof(*after_ms) * (size_t) (count + 1));

	for (int i = 0; i < count; i++)
	{
		int			at = (int) (chance() * (i + 1));

		after_ms[i] = after_ms[at];
		after_ms[at] = (int64_t) ((i + chance()) * (double) span_ms / count);
	}
	return after_ms;
}

static bool
is_client(const struct conn *conn)
{
	return !conn->is_admin && (conn->stage == CONN_CABLE || conn->stage == CONN_STREAM);
}

static void
count_client(struct conn *conn, void *arg)
{
	if (is_client(conn))
		((struct drain *) arg)->count++;
}

static void
send_away(struct conn *conn, void *arg)
{
	struct drain *drain = arg;

	if (is_client(conn))
		conn_leave_at(conn, drain->begin_ms + drain->after_ms[--drain->count]);
	else if (conn->stage == CONN_REQUEST && conn->is_kept && !conn->is_admin)
		conn_doom(conn);
}

/*
 * Send everybody away within so many ms; 0: at once.  How many there are.
 */
int
drain_begin(struct bridge *bridge, int64_t span_ms)
{
	struct drain drain = {.begin_ms = loop_clock_ms()};
	int64_t    *after_ms;
	int			count;

	conns_each(bridge->conns, count_client, &drain);
	count = drain.count;
	drain.after_ms = after_ms = drain_spread(count, span_ms, drand48);
	conns_each(bridge->conns, send_away, &drain);
	free(after_ms);
	return count;
}
