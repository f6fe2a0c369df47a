/*
 * trigger.h
 *		Changes that application SQL makes to sessions and accounts are told too.
 */
#ifndef SP_TRIGGER_H
#define SP_TRIGGER_H

/* Set in the worker, whose own changes need no triggers. */
extern PGDLLIMPORT bool sp_am_worker;

/* Set there around a statement that does what an application's row says. */
extern PGDLLIMPORT bool sp_follows;

#endif							/* SP_TRIGGER_H */
