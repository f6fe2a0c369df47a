/*
 * origin.c
 *		Which pages may connect.
 *
 * A browser says in Origin which page opens a connection, and sends cookies
 * whichever page it is.  So a page must come from where the bridge itself is
 * reached, or from an address on the list.  The scheme is not compared for the
 * bridge's own address: a proxy in front may speak TLS where we do not.
 */
#include "origin.h"

#include <string.h>
#include <strings.h>

static bool
is_loopback_host(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		size_t		len = strlen(names[i]);

		if (strncasecmp(host, names[i], len) == 0 &&
			(host[len] == '\0' || host[len] == ':'))
			return true;
	}
	return false;
}

/*
 * May a page of this origin connect, asking for this host?
 *
 * "is_open": nobody has to show a token.  A page of an attacker's could then
 * reach a bridge on loopback by letting its own name resolve to 127.0.0.1; it
 * would have the same origin as the bridge.  But then the host is not a name
 * of loopback.
 */
bool
origin_is_allowed(const struct config_list *allowed, const char *origin,
				  const char *host, bool is_open)
{
	const char *scheme_end;

	for (int i = 0; i < allowed->count; i++)
		if (strcasecmp(allowed->items[i], origin) == 0 ||
			strcmp(allowed->items[i], "*") == 0)
			return true;

	if (is_open && !is_loopback_host(host))
		return false;
	scheme_end = strstr(origin, "://");
	if (scheme_end == NULL || host[0] == '\0')
		return false;
	if (strncasecmp(origin, "http://", 7) != 0 && strncasecmp(origin, "https://", 8) != 0)
		return false;
	return strcasecmp(scheme_end + 3, host) == 0;
}
