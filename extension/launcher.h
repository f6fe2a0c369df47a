/*
 * launcher.h
 *		Starts a worker in each database that uses the extension.
 */
#ifndef SP_LAUNCHER_H
#define SP_LAUNCHER_H

#include "postgres.h"

extern PGDLLEXPORT void sp_launcher_main(Datum arg);
extern void sp_launcher_register(void);

#endif							/* SP_LAUNCHER_H */
