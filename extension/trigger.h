/*
 * trigger.h
 *		Changes that application SQL makes to sessions and accounts are told too.
 */
#ifndef SP_TRIGGER_H
#define SP_TRIGGER_H

/* Set in the worker, whose own changes need no triggers. */
extern PGDLLIMPORT bool sp_am_worker;

#endif							/* SP_TRIGGER_H */
