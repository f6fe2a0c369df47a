/*
 * admission.c
 *		Who may come in, and how often somebody may be refused.
 *
 * Connections are counted by place: an IPv4 address, an IPv6 /64; behind a
 * trusted proxy the one that it serves.  All counts and all limits are those of
 * all workers together: they lie in shared memory, and are made before the
 * workers are forked.
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
#include "places.h"

#define ADMISSION_KEYS_MAX		65536
#define ADMISSION_ADMIN_SPARE	32	/* so that it can be seen why it is full */
#define ADMISSION_MOVING		1	/* one at a time is in two places */
#define ADMISSION_EXPIRED		3	/* a minute may come again with an expired
									 * token */

struct admission
{
	int			max;
	int			per_place;
	struct cidrs proxies;
	struct intern *names;		/* of places, as long as somebody is there */
	struct places *places;
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

/*
 * Take over the settings, which were checked.  Whoever was refused so far stays
 * so, and whoever is connected stays connected.
 */
void
admission_set(struct admission *admission, const struct config *config)
{
	int			per_minute = config->refused_per_minute;
	const char *bad;

	free(admission->proxies.items);
	if (!parse_proxies(&config->trusted_proxy, &admission->proxies, &bad))
		abort();				/* it was checked */
	admission->max = config->max_connections;
	admission->per_place = config->max_connections_per_address;
	limit_set(admission->refused, per_minute);
	limit_set(admission->repeated, per_minute ? 1 : 0);
	limit_set(admission->expired, per_minute ? ADMISSION_EXPIRED : 0);
}

/* Before the workers are forked. */
struct admission *
admission_create(const struct config *config)
{
	struct admission *admission = mem_zalloc(sizeof(*admission));

	admission->names = intern_create();
	admission->places = places_create(config->max_connections + ADMISSION_ADMIN_SPARE +
									  ADMISSION_MOVING);
	admission->refused = limit_create(0, ADMISSION_KEYS_MAX);
	admission->repeated = limit_create(0, ADMISSION_KEYS_MAX);
	admission->expired = limit_create(0, ADMISSION_KEYS_MAX);
	admission_set(admission, config);
	return admission;
}

void
admission_free(struct admission *admission)
{
	free(admission->proxies.items);
	intern_free(admission->names);
	places_free(admission->places);
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

static struct istr *
place_of(struct admission *admission, const struct address *address)
{
	struct address network = address_network(address);

	return intern_get(admission->names, (const char *) network.bytes, sizeof(network.bytes));
}

/*
 * Somebody has connected from there.  If they may stay "place" is set, which is
 * given back by admission_leave().  Proxies and administrators may be as many
 * as there is room for, and for the latter there is more.
 */
enum admission_answer
admission_enter(struct admission *admission, const struct address *address, bool is_admin,
				struct istr **place)
{
	bool		is_limited = !is_admin && !admission_is_proxy(admission, address);
	enum places_answer answer;

	*place = place_of(admission, address);
	answer = places_enter(admission->places, (*place)->bytes, (*place)->len,
						  admission->max + (is_admin ? ADMISSION_ADMIN_SPARE : 0),
						  is_limited ? admission->per_place : 0);
	if (answer == PLACES_ENTERED)
		return ADMISSION_OK;
	intern_drop(*place);
	*place = NULL;
	return answer == PLACES_FULL ? ADMISSION_FULL : ADMISSION_CROWDED;
}

/*
 * A connection turns out to be from elsewhere.  False: there are too many there,
 * and it counts as from where it was.
 */
bool
admission_move(struct admission *admission, const struct address *address,
			   struct istr **place)
{
	bool		is_limited = !admission_is_proxy(admission, address);
	struct istr *to = place_of(admission, address);

	if (to != *place && !places_move(admission->places, (*place)->bytes, to->bytes, to->len,
									 is_limited ? admission->per_place : 0))
	{
		intern_drop(to);
		return false;
	}
	intern_drop(*place);
	*place = to;
	return true;
}

void
admission_leave(struct admission *admission, struct istr *place)
{
	places_leave(admission->places, place->bytes, place->len);
	intern_drop(place);
}

/* A worker has ended, and nobody else is in its place yet.  False: try again. */
bool
admission_worker_gone(struct admission *admission, int worker)
{
	return places_worker_gone(admission->places, worker);
}

/* ---- refusals ---- */

static struct digest
key_of(const struct admission_who *who)
{
	return who->subject ? digest_of('s', who->subject->bytes, who->subject->len) :
		digest_of('a', who->place->bytes, who->place->len);
}

/* 0, or they were refused too often, and for how long. */
int64_t
admission_wait_ms(const struct admission *admission, const struct admission_who *who,
				  int64_t now_ms)
{
	struct digest key = key_of(who);

	return limit_wait_ms(admission->refused, &key, now_ms);
}

/* Was this one refused just this before?  From now on, yes. */
static bool
is_repeated(struct admission *admission, const struct admission_who *who,
			const char *what, size_t len, int64_t now_ms)
{
	struct digest both[2] = {key_of(who), digest_of('w', what, len)};
	struct digest key = digest_of('r', both, sizeof(both));

	return limit_take_ms(admission->repeated, &key, now_ms) > 0;
}

/*
 * They were refused, though they were not over the limit.  "what" is what they
 * asked for; NULL: nothing that has a name.
 */
void
admission_refused(struct admission *admission, const struct admission_who *who,
				  const char *what, size_t len, int64_t now_ms)
{
	struct digest key = key_of(who);

	if (what == NULL || !is_repeated(admission, who, what, len, now_ms))
		limit_count(admission->refused, &key, now_ms);
}

/*
 * They are to be refused, for nothing that has a name: 0, and it is counted; or
 * that was too often, and for how long.
 */
int64_t
admission_refuse_ms(struct admission *admission, const struct admission_who *who,
					int64_t now_ms)
{
	struct digest key = key_of(who);

	return limit_take_ms(admission->refused, &key, now_ms);
}

/*
 * They came with a token that has expired.  True: they may come again, with a
 * new one; false: they have done so too often without getting one.
 */
bool
admission_expired(struct admission *admission, const struct admission_who *who,
				  int64_t now_ms)
{
	struct digest key = key_of(who);

	return limit_take_ms(admission->expired, &key, now_ms) == 0;
}
