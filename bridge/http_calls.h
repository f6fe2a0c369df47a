/*
 * http_calls.h
 *		Requests that the database's functions answer.
 */
#ifndef HTTP_CALLS_H
#define HTTP_CALLS_H

struct request;

int			serve_sessions(struct request *request);
int			serve_sessions_of(struct request *request);
int			serve_action(struct request *request);
int			serve_report(struct request *request);

#endif							/* HTTP_CALLS_H */
