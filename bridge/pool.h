/*
 * pool.h
 *		Connections for what may take its time.
 */
#ifndef POOL_H
#define POOL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "conninfo.h"

struct ev_loop;
struct istr;
struct pool;
struct pool_call;

enum pool_end
{
	POOL_ANSWERED,				/* "result" has its rows */
	POOL_FAILED,				/* "result" has the error */
	POOL_LOST,					/* sent, and nobody knows whether it was done */
	POOL_LATE,					/* never sent */
	POOL_FORGOTTEN				/* by pool_forget(); what it does is not known */
};

/* Called once for each call. */
typedef void (*pool_done) (void *arg, enum pool_end end, const PGresult *result);

struct pool *pool_create(struct ev_loop *loop, const struct conninfo *info,
						 int connections) must_check;
void		pool_free(struct pool *pool);
void		pool_start(struct pool *pool);
void		pool_turn(struct pool *pool);
void		pool_keep_to(struct pool *pool, const char *server);
void		pool_tick(struct pool *pool, int64_t now_ms);
bool		pool_is_up(const struct pool *pool);
int			pool_waiting(const struct pool *pool);

/*
 * Have a statement executed.  Callers take turns; calls with the same key, if they
 * have one, are executed one after the other.  "sql" has %s where the extension's
 * schema goes.  NULL: no connection, or too many wait already, of all or of this
 * caller.
 */
struct pool_call *pool_send(struct pool *pool, const struct istr *caller,
							const char *key, const char *sql, int count,
							const char *const *values, pool_done done, void *arg)
			must_check;
void		pool_forget(struct pool_call *call);

#endif							/* POOL_H */
