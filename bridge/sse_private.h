/*
 * sse_private.h
 *		What the files of server-sent events share.
 */
#ifndef SSE_PRIVATE_H
#define SSE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth.h"
#include "hub.h"

struct bridge;
struct conn;
struct request;

enum sse_close
{
	SSE_STAYS,
	SSE_LEAVES,					/* its last words are still to be sent */
	SSE_TOLD,					/* they were; the end comes next */
	SSE_GONE					/* no more is written */
};

struct sse
{
	struct hub_sub sub;			/* the first member */
	struct conn *conn;
	struct bridge *bridge;
	struct request *request;	/* until the answer's head is written */
	struct auth_claims claims;
	int64_t		last_id;		/* the version that the client has; 0: none */

	bool		is_head;		/* only the answer's head is wanted */
	bool		is_named;		/* messages have event names */
	bool		is_padded;
	bool		is_open;		/* the answer has begun, or is about to */
	bool		is_stale;		/* the database is away */
	bool		is_warned;
	bool		owes_head;
	bool		owes_stale;
	bool		owes_fresh;		/* a word that the database is back */
	bool		owes_warning;
	bool		owes_heartbeat;

	enum sse_close close;
	const char *last_words;		/* an error's message, or NULL */
	bool		may_return;
	int			return_ms;

	int64_t		heartbeat_due_ms;
	int64_t		end_due_ms;		/* 0: never */
};

/* sse.c */
void		sse_open(struct sse *sse);
void		sse_refuse(struct sse *sse);

/* sse_write.c */
extern const struct hub_transport sse_transport;
extern const struct hub_transport sse_named_transport;

void		sse_pump(struct sse *sse);
void		sse_leave(struct sse *sse, const char *last_words, bool may_return, int return_ms);
int			sse_take_leave(struct sse *sse);
int			sse_jitter_ms(int from_ms, int to_ms);

#endif							/* SSE_PRIVATE_H */
