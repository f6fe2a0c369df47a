/*
 * sse.h
 *		Server-sent events.
 */
#ifndef SSE_H
#define SSE_H

struct bridge;
struct conn;
struct request;

/* Serves /events/<channel>/<id>, and /events/owner whose channel is NULL. */
int			sse_serve(struct request *request);

/* Callback of libwebsockets: the stream can be written to. */

/* For all of them. */
void		sses_lose_database(struct bridge *bridge);

#endif							/* SSE_H */
