/*
 * calls.h
 *		The extension's functions, as the bridge calls them.
 */
#ifndef CALLS_H
#define CALLS_H

#include "ask.h"
#include "auth.h"
#include "query.h"

typedef void (*calls_keys_done) (void *arg, bool ok);

extern const struct ask_port calls_ask_port;	/* its arg is the query */

bool		calls_keys(struct query *query, struct auth *auth, calls_keys_done done,
					   void *arg) must_check;

#endif							/* CALLS_H */
