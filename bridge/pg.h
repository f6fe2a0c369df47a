/*
 * pg.h
 *		One connection to the database, kept up.
 */
#ifndef PG_H
#define PG_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "conninfo.h"
#include "metrics.h"

struct ev_loop;
struct pg;

struct pg_ops
{
	void		(*up) (void *arg);
	void		(*down) (void *arg);	/* only after up() */
	void		(*readable) (void *arg);	/* input was consumed */

	/* Which of these are up, and how many were lost. */
	enum metric ups;
	enum metric losses;
};

struct pg  *pg_create(struct ev_loop *loop, const char *name,
					  const struct conninfo *info, const struct pg_ops *ops,
					  void *arg) must_check;
void		pg_free(struct pg *pg);
void		pg_start(struct pg *pg);
void		pg_fail(struct pg *pg, const char *why);
void		pg_flush(struct pg *pg);
bool		pg_is_up(const struct pg *pg);
PGconn	   *pg_conn(struct pg *pg);
const char *pg_schema(const struct pg *pg);
const char *pg_channel(const struct pg *pg);
const char *pg_server(const struct pg *pg);
double		pg_up_since(const struct pg *pg);
const char *pg_problem(const struct pg *pg);

#endif							/* PG_H */
