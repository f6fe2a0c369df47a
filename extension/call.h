/*
 * call.h
 *		Calls to users' payload and authorize functions.
 */
#ifndef SP_CALL_H
#define SP_CALL_H

#include "fmgr.h"

/*
 * A run with a thousand accounts has some 200 kB.  A bridge keeps a state of
 * every watched stream and sends it to every watcher at each change; beyond
 * this it would be better served by a list of its own.
 */
#define SP_PAYLOAD_MAX_BYTES	(256 * 1024)

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
extern void sp_call_check_size(const char *name, int64 session, Size bytes);
extern bool sp_call_is(const char *signature, PGFunction function, Oid *owner);

#endif							/* SP_CALL_H */
