/*
 * query.h
 *		The connection that is asked, in pipeline mode.
 */
#ifndef QUERY_H
#define QUERY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "conninfo.h"

#define QUERY_JOBS_MAX	16

struct ev_loop;
struct query;

/*
 * Called once for a job: with its rows, with "error" set, or with neither when
 * the connection went away first.
 */
typedef void (*query_done) (void *arg, const PGresult *rows, const char *error);

struct query_ops
{
	void		(*up) (void *arg);
	void		(*down) (void *arg);
};

struct query *query_create(struct ev_loop *loop, const struct conninfo *info,
						   const struct query_ops *ops, void *arg) must_check;
void		query_free(struct query *query);
void		query_start(struct query *query);
void		query_tick(struct query *query, int64_t now_ms);
bool		query_is_up(const struct query *query);
const char *query_schema(const struct query *query);
const char *query_server(const struct query *query);
double		query_up_since(const struct query *query);
void		query_restart(struct query *query, const char *why);
int			query_waiting(const struct query *query);
const char *query_problem(const struct query *query);
bool		query_send(struct query *query, const char *sql, int count,
					   const char *const *values, query_done done, void *arg)
			must_check;

#endif							/* QUERY_H */
