/*
 * ask.h
 *		What the database is asked about subscriptions and streams.
 */
#ifndef ASK_H
#define ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "hub.h"

#define ASK_BATCHES_MAX		4

struct ask;
struct ask_batch;

/*
 * The database, as it is seen from here.  Each returns false if the question
 * could not be sent; else ask_done() is called once for the batch, at any later
 * time.
 */
struct ask_port
{
	bool		(*subscribe) (void *arg, const char *identifiers, const char *claims,
							  const char *who, struct ask_batch *batch);
	bool		(*snapshots) (void *arg, const char *streams, struct ask_batch *batch);
};

struct ask_row
{
	int			ord;			/* 1-based; 0 for a snapshot */
	const char *stream;
	int64_t		version;
	const char *payload;		/* NULL: none, or (version > 0) not yet */
	size_t		payload_len;
	bool		final;
	const char *greeting;		/* of a subscribe; NULL: none */
	const char *refused;		/* NULL: allowed */
};

enum ask_result
{
	ASK_ANSWERED,
	ASK_FAILED,					/* the database reported an error */
	ASK_LOST					/* the connection went away */
};

struct ask *ask_create(struct hub *hub, const struct ask_port *port, void *arg)
			must_check;
void		ask_free(struct ask *ask);
void		ask_set_live(struct ask *ask, bool is_live);
bool		ask_is_live(const struct ask *ask);
void		ask_sub(struct ask *ask, struct hub_sub *sub);
void		ask_forget(struct hub_sub *sub);
void		ask_set_now(struct ask *ask, int64_t now_ms);
int64_t		ask_flush(struct ask *ask);
int			ask_waiting(const struct ask *ask);
void		ask_tick(struct ask *ask, int64_t now_ms);
void		ask_answer(struct ask_batch *batch, const struct ask_row *row);
void		ask_done(struct ask_batch *batch, enum ask_result result);

#endif							/* ASK_H */
