/*
 * worker.h
 *		The process that folds and tells, one per database with the extension.
 */
#ifndef SP_WORKER_H
#define SP_WORKER_H

#include "postgres.h"

extern PGDLLEXPORT void sp_worker_main(Datum database);

#endif							/* SP_WORKER_H */
