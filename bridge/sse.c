/*
 * sse.c
 *		Server-sent events.
 */
#include "sse.h"

#include "reply.h"

int
sse_serve(struct request *request)
{
	return reply_text(request, 404, "Page not found\n");
}

int
sse_writeable(struct conn *conn)
{
	(void) conn;
	return 0;
}
