/*
 * http.h
 *		HTTP: the table of what is served, and the way of a request to it.
 */
#ifndef HTTP_H
#define HTTP_H

#include <libwebsockets.h>

#include "mem.h"

struct config;
struct routes;

struct routes *http_routes_create(const struct config *config, char *error,
								  size_t error_size) must_check;
const char *http_check(const struct config *config);
int			http_callback(struct lws *wsi, enum lws_callback_reasons reason,
						  void *user, void *in, size_t len);

#endif							/* HTTP_H */
