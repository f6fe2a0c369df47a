/*
 * admission.c
 *		Who may come in, and how often somebody may be refused.
 *
 * Connections are counted by place: an IPv4 address, an IPv6 /64; behind a
 * trusted proxy the one that it serves.  Everybody there shares one interned
 * text, and how many hold it is the count.
 *
 * What is limited by the minute are refusals, not attempts: an office behind one
 * address, pages that reconnect and clients that ask again until they have an
 * answer cost nothing.  So a refusal of what the same one was refused within
 * the minute costs nothing either: a page that is loaded again asks for the
 * same again.  A good token is counted by its subject, wherever it comes from;
 * only what comes without one is counted by place.
 *
 * Pure: no socket, and the caller says what time it is.
 */
#include "admission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limit.h"

#define ADMISSION_KEYS_MAX		65536
#define ADMISSION_EXPIRED		3	/* a minute may come again with an expired
									 * token */

struct admission
{
	int			per_place;
	struct cidrs proxies;
	struct intern *places;
	struct limit *refused;
	struct limit *repeated;		/* the same refusal to the same one */
	struct limit *expired;
};

static bool
parse_proxies(const struct config_list *list, struct cidrs *out, const char **bad)
{
	out->items = mem_zalloc(sizeof(*out->items) * (size_t) (list->count + 1));
	out->count = 0;
	for (int i = 0; i < list->count; i++)
	{
		*bad = list->items[i];
		if (!cidr_parse(list->items[i], &out->items[out->count++]))
			return false;
	}
	return true;
}

/* What is wrong with the settings, or NULL. */
const char *
admission_check(const struct config *config)
{
	static char problem[256];
	struct cidrs proxies;
	const char *bad;
	bool		ok = parse_proxies(&config->trusted_proxy, &proxies, &bad);

	free(proxies.items);
	if (ok)
		return NULL;
	snprintf(problem, sizeof(problem), "bad value for trusted_proxy: \"%.64s\": it must be an "
			 "address or a network such as 10.0.0.0/8 or 2001:db8::/32", bad);
	return problem;
}

struct admission *
admission_create(const struct config *config)
{
	struct admission *admission = mem_zalloc(sizeof(*admission));
	int			per_minute = config->refused_per_minute;
	const char *bad;

	admission->per_place = config->max_connections_per_address;
	if (!parse_proxies(&config->trusted_proxy, &admission->proxies, &bad))
		abort();				/* it was checked */
	admission->places = intern_create();
	admission->refused = limit_create(per_minute, ADMISSION_KEYS_MAX);
	admission->repeated = limit_create(per_minute ? 1 : 0, ADMISSION_KEYS_MAX);
	admission->expired = limit_create(per_minute ? ADMISSION_EXPIRED : 0, ADMISSION_KEYS_MAX);
	return admission;
}

void
admission_free(struct admission *admission)
{
	free(admission->proxies.items);
	intern_free(admission->places);
	limit_free(admission->refused);
	limit_free(admission->repeated);
	limit_free(admission->expired);
	free(admission);
}

/* ---- places ---- */

bool
admission_is_proxy(const struct admission *admission, const struct address *peer)
{
	return cidrs_hold(&admission->proxies, peer);
}

/* Whom the peer, a trusted proxy, asks for. */
struct address
admission_client(const struct admission *admission, const struct address *peer,
				 const char *forwarded)
{
	return address_forwarded(&admission->proxies, peer, forwarded);
}

/* Held once more for the caller, who drops it when the connection ends. */
struct istr *
admission_place(struct admission *admission, const struct address *address)
{
	struct address network = address_network(address);

	return intern_get(admission->places, (const char *) network.bytes, sizeof(network.bytes));
}

/* Are more connections from this place than may be? */
bool
admission_is_crowded(const struct admission *admission, const struct istr *place)
{
	return admission->per_place > 0 && place->refs > (unsigned) admission->per_place;
}

/* ---- refusals ---- */

static struct limit_key
key_of(const struct limit *limit, const struct admission_who *who)
{
	return who->subject ? limit_key(limit, 's', who->subject->bytes, who->subject->len) :
		limit_key(limit, 'a', who->place->bytes, who->place->len);
}

/* 0, or they were refused too often, and for how long. */
int64_t
admission_wait_ms(const struct admission *admission, const struct admission_who *who,
				  int64_t now_ms)
{
	struct limit_key key = key_of(admission->refused, who);

	return limit_wait_ms(admission->refused, &key, now_ms);
}

/* Was this one refused just this before?  From now on, yes. */
static bool
is_repeated(struct admission *admission, const struct admission_who *who,
			const char *what, size_t len, int64_t now_ms)
{
	struct limit_key key = key_of(admission->repeated, who);
	struct limit_key about = limit_key(admission->repeated, 'w', what, len);
	struct limit_key both[2] = {key, about};
	bool		is_known;

	key = limit_key(admission->repeated, 'r', both, sizeof(both));
	is_known = limit_wait_ms(admission->repeated, &key, now_ms) > 0;
	if (!is_known)
		limit_count(admission->repeated, &key, now_ms);
	return is_known;
}

/*
 * They were refused, though they were not over the limit.  "what" is what they
 * asked for; NULL: nothing that has a name.
 */
void
admission_refused(struct admission *admission, const struct admission_who *who,
				  const char *what, size_t len, int64_t now_ms)
{
	struct limit_key key = key_of(admission->refused, who);

	if (what == NULL || !is_repeated(admission, who, what, len, now_ms))
		limit_count(admission->refused, &key, now_ms);
}

/*
 * They came with a token that has expired.  True: they may come again, with a
 * new one; false: they have done so too often without getting one.
 */
bool
admission_expired(struct admission *admission, const struct admission_who *who,
				  int64_t now_ms)
{
	struct limit_key key = key_of(admission->expired, who);
	bool		may_return = limit_wait_ms(admission->expired, &key, now_ms) == 0;

	if (may_return)
		limit_count(admission->expired, &key, now_ms);
	return may_return;
}
