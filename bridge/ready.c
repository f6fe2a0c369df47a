/*
 * ready.c
 *		Can watchers be served?
 *
 * What a load balancer is told: not whether the process lives, but whether a
 * client that came now would see anything.
 */
#include "ready.h"

#include "keys.h"
#include "listen.h"
#include "parts.h"
#include "query.h"

/* Is everything there that a watcher needs?  Else "why" says what is missing. */
bool
ready_check(const struct bridge *bridge, const char **why)
{
	*why = "stopping";
	if (bridge->is_stopping)
		return false;
	*why = listen_problem(bridge->listen);
	if (!listen_is_live(bridge->listen))
		return false;
	*why = query_problem(bridge->query);
	if (!query_is_up(bridge->query))
		return false;
	*why = "the keys have not been read yet; if that lasts, the log says why";
	return keys_are_read(bridge->keys) || bridge->config->auth == CONFIG_AUTH_NONE;
}
