/*
 * cable_private.h
 *		What the files of the cable share.
 */
#ifndef CABLE_PRIVATE_H
#define CABLE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth.h"
#include "buf.h"
#include "hub.h"

struct bridge;
struct cable_call;
struct command;
struct conn;

enum cable_close
{
	CLOSE_NO,
	CLOSE_WANTED,				/* the disconnect frame is still to be sent */
	CLOSE_TOLD,					/* it was; the close frame comes next */
	CLOSE_DONE					/* no more is written */
};

struct cable_sub
{
	struct hub_sub sub;			/* the first member */
	struct cable_sub *prev;
	struct cable_sub *next;
};

struct cable
{
	struct conn *conn;
	struct bridge *bridge;
	struct auth_claims claims;	/* payload is NULL until somebody is let in */
	char	   *held_token;		/* until the keys have been read */
	int64_t		held_ms;
	struct cable_sub *subs;
	int			subs_count;
	int			wait_s;			/* until it may try again; 0: now */
	int			calls_count;
	struct cable_call *calls;	/* actions under way, or refused */
	bool		is_open;		/* welcomed, or about to be */
	bool		owes_welcome;
	bool		owes_ping;
	bool		owes_warning;
	bool		is_warned;
	enum cable_close close;
	const char *close_reason;
	bool		close_reconnect;
	int64_t		ping_due_ms;
	struct buf	rx;				/* a frame that comes in pieces */
};


/*
 * How long a client that was told to go may take.  libwebsockets gives it five
 * seconds by its own timer, and would count nobody.
 */
#define CABLE_CLOSE_MS		4000

/* cable.c */
void		cable_welcome(struct cable *cable);
void		cable_sub_add(struct cable *cable, const char *identifier, size_t len);
void		cable_sub_drop(struct cable *cable, struct cable_sub *item);

/* cable_write.c */
extern const struct hub_transport cable_transport;

bool		cable_is_idle(void *client);
void		cable_pump(struct cable *cable);
void		cable_want_close(struct cable *cable, const char *reason, bool reconnect);
int			cable_take_leave(struct cable *cable);

/* cable_command.c */
struct cable_sub *cable_find(struct cable *cable, const char *identifier, size_t len);
void		cable_refused(void *client, const struct hub_sub *sub);
void		cable_take_frame(struct cable *cable, const char *text, size_t len);

/* cable_perform.c */
void		cable_act(struct cable *cable, struct istr *identifier,
					  const struct command *command, bool is_over);
void		cable_pump_calls(struct cable *cable);
void		cable_calls_forget(struct cable *cable);

/* cable_token.c */
bool		cable_identify(struct cable *cable, const char *token);
void		cable_refresh(struct cable *cable, const char *token);
void		cable_disconnect(void *client, const struct istr *subject, bool reconnect);
void		cable_forget_token(struct cable *cable);

#endif							/* CABLE_PRIVATE_H */
