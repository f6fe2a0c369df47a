/*
 * sse.h
 *		Server-sent events.
 */
#ifndef SSE_H
#define SSE_H

struct conn;
struct request;

/* Serves /events/<channel>/<id> and /events/owner (whose id is NULL). */
int			sse_serve(struct request *request);

/* Callback of libwebsockets: the stream can be written to. */
int			sse_writeable(struct conn *conn);

#endif							/* SSE_H */
