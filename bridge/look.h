/*
 * look.h
 *		A look at what is at the other end of a connection.
 */
#ifndef LOOK_H
#define LOOK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

struct look
{
	char	   *schema;			/* of the extension, quoted */
	char	   *channel;
	char	   *server;			/* tells one server from another */
};

extern const char *const look_sql;

bool		look_take(struct look *look, PGconn *conn, const PGresult *rows,
					  char *why, size_t why_size) must_check;
void		look_clear(struct look *look);

#endif							/* LOOK_H */
