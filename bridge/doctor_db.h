/*
 * doctor_db.h
 *		The database, as the bridge needs it.
 */
#ifndef DOCTOR_DB_H
#define DOCTOR_DB_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "conninfo.h"
#include "doctor_report.h"
#include "look.h"

struct doctor_db
{
	PGconn	   *conn;
	struct look look;
	int			worker_pid;		/* 0: none runs */
};

bool		doctor_db_open(struct doctor_db *db, const struct conninfo *info,
						   struct report *report);
void		doctor_db_close(struct doctor_db *db);
PGresult   *doctor_db_ask(struct doctor_db *db, const char *sql, const char *value) must_check;
void		doctor_db_check(struct doctor_db *db, bool needs_keys, struct report *report);

#endif							/* DOCTOR_DB_H */
