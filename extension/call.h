/*
 * call.h
 *		Calls to users' payload and authorize functions.
 */
#ifndef SP_CALL_H
#define SP_CALL_H

#include "fmgr.h"

typedef struct SpGuard
{
	Oid			user;
	int			security;
	int			guc_level;
} SpGuard;

extern void sp_call_enter(Oid owner, SpGuard *guard);
extern void sp_call_leave(const SpGuard *guard);
extern void sp_call_by_keys(void);

#endif							/* SP_CALL_H */
