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

typedef void (*SpTakePayload) (void *state, int64 session, Datum payload);

extern void sp_call_enter(Oid owner, SpGuard *guard);
extern void sp_call_leave(const SpGuard *guard);
extern void sp_call_by_keys(void);
extern void sp_call_payloads(const char *signature, Datum ids, SpTakePayload take, void *state);
extern bool sp_call_is(const char *signature, PGFunction function, Oid *owner);

#endif							/* SP_CALL_H */
