/*
 * check.h
 *		Is a configuration sound?
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "conninfo.h"
#include "mem.h"

enum check_when
{
	CHECK_ALONE,				/* and nothing is to be done about it */
	CHECK_AT_START,
	CHECK_AT_RELOAD				/* no name may be looked up: that blocks */
};

bool		check_settings(const struct config *config, enum check_when when,
						   struct conninfo *conninfo, char *error, size_t error_size)
			must_check;

#endif							/* CHECK_H */
