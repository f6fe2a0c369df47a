/*
 * conninfo.h
 *		Where the database is, from all the places where libpq looks.
 */
#ifndef CONNINFO_H
#define CONNINFO_H

#include "mem.h"

#include <stdbool.h>
#include <stddef.h>

#define CONNINFO_MAX	64

struct conninfo
{
	char	   *keywords[CONNINFO_MAX + 1];
	char	   *values[CONNINFO_MAX + 1];
	int			count;
};

bool		conninfo_parse(struct conninfo *info, const char *text, char *error,
						   size_t error_size) must_check;
void		conninfo_free(struct conninfo *info);
const char *conninfo_get(const struct conninfo *info, const char *keyword);
void		conninfo_set(struct conninfo *info, const char *keyword,
						 const char *value);
void		conninfo_copy(struct conninfo *to, const struct conninfo *from);

void		conninfo_rotate(struct conninfo *info, unsigned by);

#endif							/* CONNINFO_H */
