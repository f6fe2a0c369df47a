/*
 * calls_act.h
 *		The extension's functions that do something or may take long.
 */
#ifndef CALLS_ACT_H
#define CALLS_ACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"

struct istr;
struct pool;
struct pool_call;

/* What came of it.  All texts are valid during the callback. */
struct call_answer
{
	int			status;			/* of HTTP; 200: done */
	const char *error;			/* NULL if done */
	const char *hint;			/* what to do about it, or NULL */
	const char *current;		/* of a stale edit: the row as it is, JSON */
	bool		is_lost;		/* nobody knows whether it was done */

	/* Of what was done. */
	const char *result;			/* JSON */
	size_t		result_len;
	const char *stream;			/* of perform, with its state: */
	int64_t		version;
	bool		final;
	const char *payload;		/* NULL: none, or none for this token */
	size_t		payload_len;
};

/* For whom it is done. */
struct call_by
{
	const struct istr *caller;	/* callers take turns */
	const char *claims;			/* JSON */
};

typedef void (*call_done) (void *arg, const struct call_answer *answer);

/*
 * Each calls "done" once, later, unless pool_forget() is called before.  NULL: it
 * cannot be asked now; "done" is not called.
 */
struct pool_call *calls_perform(struct pool *pool, const struct call_by *by,
								const char *identifier, const char *action,
								const char *data, call_done done, void *arg)
			must_check;
struct pool_call *calls_sessions(struct pool *pool, const struct call_by *by,
								 const char *after, const char *limit,
								 const char *stream, call_done done, void *arg)
			must_check;
struct pool_call *calls_report(struct pool *pool, const struct call_by *by,
							   const char *report, call_done done, void *arg)
			must_check;

#endif							/* CALLS_ACT_H */
