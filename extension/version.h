/*
 * version.h
 *		The library's version, and which versions of the SQL it serves.
 */
#ifndef SP_VERSION_H
#define SP_VERSION_H

#include <stdbool.h>

#define SP_VERSION		"1.1.0"

/* What is said of SQL that it does not serve. */
#define SP_VERSION_UNSERVED	"extension \"sync_progress\" is version %s in this database, and the library that the server has loaded is version " SP_VERSION

extern bool sp_version_serves(const char *library, const char *sql);

#endif							/* SP_VERSION_H */
