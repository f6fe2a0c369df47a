/*
 * hub_private.h
 *		What the files of the hub share.
 */
#ifndef HUB_PRIVATE_H
#define HUB_PRIVATE_H

#include "hub.h"
#include "ring.h"

struct hub_group
{
	struct hub_stream *stream;
	const struct hub_transport *transport;
	struct istr *identifier;
	struct hub_group *prev;		/* in the stream */
	struct hub_group *next;
	struct hub_sub *subs;

	int			interval_ms;	/* 0: told at once */
	int64_t		due_ms;			/* not to be told before */
	bool		is_held;		/* it owes a state until then */
	struct hub_group *held_prev;
	struct hub_group *held_next;
};

/* When a state or event came; all zero: not known, and not timed. */
struct hub_times
{
	int64_t		received_us;	/* by clock_us() */
	int64_t		under_way_us;	/* from its emission to then */
	bool		is_dated;		/* its emission is known */
};

struct hub_stream
{
	struct hub *hub;
	char	   *name;
	int64_t		version;
	bool		final;
	struct msg *payload;		/* NULL: none known yet */
	bool		is_awaited;		/* there is one, and it will be notified */
	struct ring *ring;			/* NULL: no event came yet */
	void	   *group_tree;
	struct hub_group *groups;

	struct hub_wants *wants;	/* the list it waits in, or NULL */
	struct hub_stream *want_prev;
	struct hub_stream *want_next;
	bool		wants_state;
	bool		wants_rights;
	bool		wants_reload;

	bool		has_news;		/* its state has not been told yet */
	struct hub_stream *news_prev;
	struct hub_stream *news_next;
	int			replaced;		/* states that have made way for it untold */
	int64_t		told_version;	/* the last that was told */

	struct hub_times times;		/* of its state */
	struct hub_times hinted;	/* of a state that has to be read first */
	int			watchers;
	uint32_t	messages;		/* told since they were last looked at */
	float		rate;			/* of them a second */
};

struct hub_wants
{
	struct hub_stream *first;
	struct hub_stream *last;
};

struct hub
{
	void	   *streams;		/* tree by name */
	struct kept *kept;
	struct hub_wants wanted;
	struct hub_wants hinted;
	struct hub_stream *news_first;
	struct hub_stream *news_last;
	struct hub_group *held;
	int64_t		now_ms;			/* of the last tick */
	struct buf	frame;
	int64_t		telling_us;		/* since when; 0: not to be timed */
	struct hub_times times;		/* of what is being told */
	unsigned	untimed;		/* writes of it since the clock was read */
	int64_t		top_ms;			/* when the greatest were looked for */
};

/* Why a stream waits to be asked about. */
enum hub_why
{
	HUB_WANTS_STATE,
	HUB_WANTS_RIGHTS,			/* of its subscriptions, and its state */
	HUB_WANTS_RELOAD			/* nothing is asked, its watchers are told */
};

/* hub_stream.c */
struct hub_stream *hub_find(struct hub *hub, const char *name);

/* hub_want.c */
void		hub_unwant(struct hub_stream *stream);
void		hub_want_stream(struct hub *hub, struct hub_stream *stream, bool is_hint,
							enum hub_why why);

/* hub_interval.c */
void		hub_interval_begin(struct hub *hub, struct hub_group *group);
bool		hub_hold(struct hub *hub, struct hub_group *group);
void		hub_release(struct hub *hub, struct hub_group *group);

/* hub_time.c */
extern const struct hub_times hub_untimed;
struct hub_times hub_times_of(const struct event *event);
void		hub_time_begin(struct hub *hub);
void		hub_time_end(struct hub *hub);
void		hub_time_stream(struct hub *hub, const struct hub_times *times);
void		hub_time_write(struct hub *hub);
void		hub_time_written(struct hub *hub);
void		hub_time_late(const struct hub_times *times);

/* hub_news.c */
void		hub_put_news(struct hub *hub, struct hub_stream *stream,
						 const struct event *event);
void		hub_tell_news(struct hub *hub, struct hub_stream *stream);
void		hub_forget_news(struct hub_stream *stream);

/* hub.c */
int			hub_tell_group(struct hub *hub, struct hub_group *group, int64_t before);
void		hub_tell_event(struct hub *hub, struct hub_stream *stream, const char *type,
						   struct msg *data, const struct hub_times *times);

#endif							/* HUB_PRIVATE_H */
