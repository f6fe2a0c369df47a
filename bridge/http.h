/*
 * http.h
 *		Plain HTTP: the router and the answers.
 */
#ifndef HTTP_H
#define HTTP_H

#include <libwebsockets.h>

int			http_callback(struct lws *wsi, enum lws_callback_reasons reason,
						  void *user, void *in, size_t len);

#endif							/* HTTP_H */
