/*
 * command.h
 *		What an Action Cable client says, and what it is told.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "intern.h"
#include "msg.h"

#define COMMAND_IDENTIFIER_MAX	512

enum command_kind
{
	COMMAND_SUBSCRIBE,
	COMMAND_UNSUBSCRIBE,
	COMMAND_MESSAGE,
	COMMAND_REFRESH,
	COMMAND_UNKNOWN
};

/* The texts belong to the two JSON values. */
struct command
{
	enum command_kind kind;
	const char *identifier;		/* not for COMMAND_REFRESH */
	size_t		identifier_len;
	const char *action;			/* COMMAND_MESSAGE, may be NULL */
	const char *token;			/* COMMAND_REFRESH, or a message's, or NULL */
	json_t	   *root;
	json_t	   *data;
};

bool		command_parse(const char *text, size_t len, struct command *command)
			must_check;
void		command_clear(struct command *command);

void		frame_welcome(struct buf *out);
void		frame_ping(struct buf *out, int64_t now_s);
void		frame_token_expiring(struct buf *out);
void		frame_disconnect(struct buf *out, const char *reason, bool reconnect);
void		frame_confirm(struct buf *out, const struct istr *identifier);
void		frame_reject(struct buf *out, const struct istr *identifier);
void		frame_reject_text(struct buf *out, const char *identifier, size_t len);
void		frame_message(struct buf *out, const struct istr *identifier,
						  const struct msg *payload);
void		frame_message_text(struct buf *out, const struct istr *identifier,
							   const char *message, size_t len);
void		frame_event(struct buf *out, const struct istr *identifier,
						const char *type, const struct msg *data);

#endif							/* COMMAND_H */
