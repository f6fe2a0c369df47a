/*
 * pgerr.h
 *		What the database complains of, in words for a log.
 */
#ifndef PGERR_H
#define PGERR_H

#include <libpq-fe.h>
#include <stddef.h>

const char *pgerr_hint(const char *why);
void		pgerr_one_line(char *said);
void		pgerr_describe(const PGresult *result, char *out, size_t size);

#endif							/* PGERR_H */
