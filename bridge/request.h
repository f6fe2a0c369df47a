/*
 * request.h
 *		One HTTP request, from its headers to its answer.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth.h"
#include "bearer.h"
#include "buf.h"
#include "route.h"

struct conn;
struct lws;

#define REQUEST_ARGS_MAX	16

/* The headers that somebody asks for. */
enum request_header
{
	REQUEST_ORIGIN,
	REQUEST_HOST,
	REQUEST_IF_NONE_MATCH,
	REQUEST_ACCEPT_ENCODING,
	REQUEST_CONTENT_TYPE,
	REQUEST_LAST_EVENT_ID,
	REQUEST_HEADERS
};

enum request_body
{
	BODY_NONE,
	BODY_COMES,					/* its length is known */
	BODY_ENDLESS				/* libwebsockets takes what comes for a body */
};

struct request
{
	struct conn *conn;
	enum route_method method;
	bool		is_head;		/* a GET whose body is not wanted */
	char	   *path;			/* decoded */
	const struct route *route;
	char	   *params[ROUTE_PARAMS];	/* from the path; NULL: not in it */
	char	   *args[REQUEST_ARGS_MAX]; /* name=value, decoded */
	int			args_count;
	char	   *headers[REQUEST_HEADERS];	/* NULL: not there */
	bool		is_own_page;	/* Origin is there, and allowed */
	bool		is_named_page;	/* and that by name, so with cookies, too */
	struct bearer bearer;
	struct auth_claims claims;	/* payload is NULL until known */
	int64_t		held_ms;		/* since when it waits for the keys, or 0 */

	enum request_body body_kind;
	size_t		body_length;	/* as announced */
	struct buf	body;

	/* Whatever answers it later, and how that is made to forget it. */
	void	   *work;
	void		(*work_free) (void *work);
	int			(*resume) (struct request *request);	/* NULL: not yet */
	const char *late;			/* what to say if it is not answered in time */
};

/* request.c */
struct request *request_create(struct conn *conn, struct lws *wsi, const char **why)
			must_check;
void		request_free(struct request *request);
struct request *request_of(const struct conn *conn);
const char *request_arg(const struct request *request, const char *name);
bool		request_is_text(const char *value);
bool		request_identifier(const struct request *request, struct buf *out)
			must_check;
struct bridge *request_bridge(const struct request *request);
void		request_wait(struct request *request, int64_t at_most_ms, void *work,
						 void (*work_free) (void *work));
void		request_resume(struct request *request,
						   int (*resume) (struct request *request));
void		request_take(struct request *request);
void		request_give_back(struct request *request);

/* identify.c */
int			identify(struct request *request);
void		identify_keys_read(struct bridge *bridge);

#endif							/* REQUEST_H */
