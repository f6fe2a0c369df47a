/*
 * reply.h
 *		Answers to HTTP requests.
 */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>

#include "buf.h"
#include "msg.h"

struct conn;
struct lws;
struct request;

struct reply
{
	int			status;
	const char *type;			/* NULL: text/plain */
	struct msg *body;			/* NULL: empty; taken over */
	const char *etag;			/* NULL: none; with its quotes */
	const char *more;			/* further header lines, or NULL */
	int			retry_after_s;	/* 0: not said */
	bool		is_html;
	bool		may_pack;		/* there is a compressed form of the body */
	bool		is_packed;		/* and this is it */
	bool		closes;			/* the connection ends with it */
};

/*
 * Answer, and be done with the request: it is gone afterwards.  They return what
 * a callback of libwebsockets is to return, and may be called from anywhere.
 */
int			reply_send(struct request *request, const struct reply *reply);
int			reply_text(struct request *request, int status, const char *text);
int			reply_json(struct request *request, int status, const struct buf *json);
int			reply_error(struct request *request, int status, const char *error,
						const char *hint);
int			reply_not_found(struct request *request);
int			reply_busy(struct request *request, int status, int retry_after_s,
					   const char *error, const char *hint);

/* Is this ETag among those of If-None-Match? */
bool		reply_has_etag(const char *known, const char *etag);

/* The head of an answer without an end, up to the empty line. */
void		reply_begin(struct buf *out, const struct request *request, int status,
						const char *type);

/* An answer where there is no request, after which the caller hangs up. */
void		reply_refuse(struct conn *conn, struct lws *wsi, int status,
						 int retry_after_s, const char *text);

/* For the callback of libwebsockets. */
int			reply_more(struct conn *conn);

#endif							/* REPLY_H */
