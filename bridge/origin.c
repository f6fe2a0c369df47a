/*
 * origin.c
 *		Which pages may connect.
 *
 * A browser says in Origin which page opens a connection, and sends cookies
 * whichever page it is.  So a page must come from where the bridge itself is
 * reached, or from an address on the list.  The scheme is not compared for the
 * bridge's own address: a proxy in front may speak TLS where we do not.
 *
 * On the list "*.example.com" behind the scheme is every name below example.com,
 * and not that name itself.  "*" is every page there is, for who has shown a
 * token in the request; a cookie then counts for nothing, or any page could use
 * it in its visitor's name.  CORS has the same rule.
 */
#include "origin.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Does this Host header name the machine itself? */
bool
origin_is_loopback(const char *host)
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

/* The host and port of an http or https origin; NULL: it is none. */
static const char *
host_of(const char *origin)
{
	if (strncasecmp(origin, "http://", 7) == 0)
		return origin + 7;
	if (strncasecmp(origin, "https://", 8) == 0)
		return origin + 8;
	return NULL;
}

/* Is there at least one letter, and are all of them those of host names? */
static bool
is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char) text[i]) && strchr("-._", text[i]) == NULL)
			return false;
	return len > 0;
}

/* Does an entry of the list mean this origin? */
static bool
entry_names(const char *entry, const char *origin)
{
	const char *below = host_of(entry);
	size_t		scheme_len;
	size_t		len;
	size_t		rest_len;

	if (strcasecmp(entry, origin) == 0)
		return true;
	if (below == NULL || strncmp(below, "*.", 2) != 0)
		return false;

	scheme_len = (size_t) (below - entry);
	below++;
	len = strlen(origin);
	rest_len = strlen(below);
	return len > scheme_len + rest_len &&
		strncasecmp(entry, origin, scheme_len) == 0 &&
		strcasecmp(origin + len - rest_len, below) == 0 &&
		is_name(origin + scheme_len, len - scheme_len - rest_len);
}

/*
 * May a page of this origin connect, asking for this host?
 *
 * "is_open": nobody has to show a token.  A page of an attacker's could then
 * reach a bridge on loopback by letting its own name resolve to 127.0.0.1; it
 * would have the same origin as the bridge.  But then the host is not a name
 * of loopback.  "has_cookie": who asks is known by a cookie alone.
 */
bool
origin_is_allowed(const struct config_list *allowed, const char *origin,
				  const char *host, bool is_open, bool has_cookie)
{
	const char *own;

	for (int i = 0; i < allowed->count; i++)
		if (strcmp(allowed->items[i], "*") == 0 ? !has_cookie :
			entry_names(allowed->items[i], origin))
			return true;

	if (is_open && !origin_is_loopback(host))
		return false;
	own = host_of(origin);
	return own != NULL && host[0] != '\0' && strcasecmp(own, host) == 0;
}

/* The port that browsers leave out of an origin with this scheme. */
static const char *
preset_port(const char *origin)
{
	return strncasecmp(origin, "https", 5) == 0 ? ":443" : ":80";
}

/*
 * What is wrong with the list, in words; NULL: nothing.  An entry that no
 * browser's Origin can ever equal is a mistake that shows only as a 404.
 */
const char *
origins_check(const struct config_list *allowed)
{
	static char problem[512];

	for (int i = 0; i < allowed->count; i++)
	{
		const char *entry = allowed->items[i];
		const char *host = host_of(entry);
		const char *port;
		const char *why = NULL;

		if (strcmp(entry, "*") == 0)
			continue;
		if (host && strncmp(host, "*.", 2) == 0)
			host += 2;
		if (host == NULL || host[0] == '\0')
			why = "write scheme and host, like https://app.example.com, "
				"https://*.example.com for all names below it, or * for every page";
		else if (strpbrk(host, "/?#@* \t"))
			why = "an origin ends with the host or the port, without a slash or a path";
		else if ((port = strrchr(host, ':')) && strcmp(port, preset_port(entry)) == 0)
			why = "browsers leave this port out, so leave it out here";
		if (why == NULL)
			continue;
		snprintf(problem, sizeof(problem), "bad value for allowed_origin: \"%.200s\": %s",
				 entry, why);
		return problem;
	}
	return NULL;
}
