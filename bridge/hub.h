/*
 * hub.h
 *		Streams, who watches them, and the latest state of each.
 */
#ifndef HUB_H
#define HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "event.h"
#include "intern.h"
#include "kept.h"

struct hub;
struct hub_group;
struct hub_sub;
struct ask_list;
struct top;

/* What a stream has to say. */
struct hub_news
{
	int64_t		version;
	bool		final;			/* the run has ended */
	const struct msg *payload;
};

/* Something that happened in a stream, to be told once and in its order. */
struct hub_event
{
	const char *type;
	const struct msg *data;		/* NULL: left out */
};

/* How the hub speaks to the clients of one protocol. */
struct hub_transport
{
	/* May a frame be written to this client now? */
	bool		(*is_idle) (void *client);
	/* Write the frame; called only right after is_idle() said yes. */
	void		(*send) (void *client, struct buf *frame);
	/* It will be in so many steps, 2 or 1: fetch what that needs; or NULL. */
	void		(*ahead) (void *client, int steps);
	/* Something is owed to this subscription: write it if possible. */
	void		(*owed) (void *client, struct hub_sub *sub);
	/* What it asked for, and was not watching before, was refused; or NULL. */
	void		(*refused) (void *client, const struct hub_sub *sub);
	/* Frames */
	void		(*state) (struct buf *out, const struct istr *identifier,
						  const struct hub_news *news);
	void		(*event) (struct buf *out, const struct istr *identifier,
						  const struct hub_event *event);	/* NULL: wants none */
	void		(*confirm) (struct buf *out, const struct hub_sub *sub);
	void		(*reject) (struct buf *out, const struct istr *identifier);
	bool		is_greeted;		/* confirm() wants what the database says to
								 * new ones */
};

/*
 * One subscription.  Embedded in what its client keeps of it; "identifier" and
 * "claims" are held by it.
 */
struct hub_sub
{
	const struct hub_transport *transport;
	void	   *client;
	struct istr *identifier;
	struct istr *claims;

	struct hub_group *group;	/* NULL until it was allowed */
	struct hub_sub *prev;		/* in the group */
	struct hub_sub *next;
	int64_t		sent_version;
	uint64_t	sent_event;		/* its number in the stream */
	struct msg *greeting;		/* until it is confirmed, or NULL */
	bool		is_confirmed;
	bool		is_doubted;		/* its right is being asked for: tell it
								 * nothing */
	bool		owes_confirm;
	bool		owes_state;		/* even if the version was sent before */
	bool		owes_reload;	/* events were missed */
	bool		owes_reject;

	/* Where the question about it stands; these belong to ask.c. */
	struct ask_list *ask_home;
	struct hub_sub *ask_prev;
	struct hub_sub *ask_next;
	int64_t		ask_due_ms;
	uint8_t		ask_attempts;
	bool		ask_again;
	bool		ask_resend;
};

enum hub_next
{
	HUB_NOTHING,				/* nothing is owed */
	HUB_FRAME,					/* a frame to be sent */
	HUB_LAST_FRAME				/* likewise, and the subscription is over */
};

typedef void (*hub_visit) (struct hub_sub *sub, void *arg);

struct hub *hub_create(size_t kept_max) must_check;
void		hub_free(struct hub *hub);
struct kept *hub_kept(struct hub *hub);
void		hub_take(struct hub *hub, const struct event *event, bool is_trusted);
void		hub_flush(struct hub *hub);
void		hub_state(struct hub *hub, const char *stream, int64_t version,
					  bool final, struct msg *payload);
void		hub_await(struct hub *hub, const char *stream);
bool		hub_sub_awaits(const struct hub_sub *sub);
bool		hub_attach(struct hub *hub, struct hub_sub *sub, const char *stream);
void		hub_detach(struct hub *hub, struct hub_sub *sub);
void		hub_sub_missed(struct hub_sub *sub);
enum hub_next hub_sub_next(struct hub_sub *sub, struct buf *out);
void		hub_tick(struct hub *hub, int64_t now_ms);
void		hub_want(struct hub *hub, const char *stream, bool is_hint);
void		hub_sub_offer(struct hub_sub *sub, const char *stream,
						  const struct hub_news *news);
bool		hub_next_wanted(struct hub *hub, bool is_hint, const char **stream,
							hub_visit ask_again, void *arg);
void		hub_each(struct hub *hub, hub_visit visit, void *arg);
void		hub_top(struct hub *hub, int64_t now_ms, struct top *by_watchers,
					struct top *by_messages);

#endif							/* HUB_H */
