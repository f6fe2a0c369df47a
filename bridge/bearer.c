/*
 * bearer.c
 *		Where a request has its token.
 *
 * As X-Callback-Token, which is how workers send theirs, as Authorization:
 * Bearer, as ?token= or ?jid=, or in a cookie; the first of them counts.  Whoever holds a token wipes it when it is no longer needed.
 */
#include "bearer.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth.h"

static const char callback_header[] = "x-callback-token:";

static bool
take(struct bearer *bearer, const char *token, size_t len)
{
	if (len > AUTH_TOKEN_MAX)
		return false;
	bearer->token = mem_strndup(token, len);
	return true;
}

/*
 * Take the token from the argument of this name ("token=").  False: there is none.
 * libwebsockets' own search ends at the first one that does not fit its buffer.
 */
static bool
find_arg(struct lws *wsi, const char *name, struct bearer *bearer, bool *fits)
{
	size_t		name_len = strlen(name);
	bool		is_there = true;
	bool		is_it = false;

	for (int i = 0; is_there && !is_it; i++)
	{
		int			len = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i);
		char	   *text = mem_zalloc((size_t) len + 1);

		is_there = lws_hdr_copy_fragment(wsi, text, len + 1, WSI_TOKEN_HTTP_URI_ARGS, i) >= 0;
		is_it = is_there && strncmp(text, name, name_len) == 0;
		if (is_it)
			*fits = take(bearer, text +name_len, strlen(text +name_len));
		explicit_bzero(text, (size_t) len);
		free(text);
	}
	return is_it;
}

/*
 * Find the token; bearer_clear() is to be called whatever is returned.  False:
 * there is one, and it is too long.
 */
bool
bearer_find(struct lws *wsi, const char *cookie, struct bearer *bearer)
{
	static const char *const names[] = {"token=", "jid="};
	char text[	AUTH_TOKEN_MAX + 16];
	size_t		len = sizeof(text);
	bool		fits = true;

	memset(bearer, 0, sizeof(*bearer));
	if (lws_hdr_custom_length(wsi, callback_header, sizeof(callback_header) - 1) > 0)
	{
		if (lws_hdr_custom_copy(wsi, text, sizeof(text), callback_header,
								sizeof(callback_header) - 1) < 0)
			return false;
		fits = take(bearer, text, strlen(text));
		explicit_bzero(text, sizeof(text));
		return fits;
	}
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION) > 0)
	{
		if (lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_AUTHORIZATION) < 0)
			return false;
		if (strncasecmp(text, "Bearer ", 7) == 0)
		{
			const char *token = text +7 + strspn(text +7, " ");

			fits = take(bearer, token, strlen(token));
			explicit_bzero(text, sizeof(text));
			return fits;
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (find_arg(wsi, names[i], bearer, &fits))
		{
			explicit_bzero(text, sizeof(text));
			return fits;
		}
	if (lws_http_cookie_get(wsi, cookie, text, &len) == 0)
	{
		bearer->is_cookie = true;
		fits = take(bearer, text, len < sizeof(text) ? len : sizeof(text) - 1);
	}
	explicit_bzero(text, sizeof(text));
	return fits;
}

void
bearer_clear(struct bearer *bearer)
{
	if (bearer->token)
	{
		explicit_bzero(bearer->token, strlen(bearer->token));
		free(bearer->token);
	}
	memset(bearer, 0, sizeof(*bearer));
}
