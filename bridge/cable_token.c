/*
 * cable_token.c
 *		Who a client of the cable is, and until when.
 *
 * A token whose key is not known may be signed with one that is newer than what
 * was read, or the database was not reached yet.  The client is held without
 * a welcome until the keys have been read.  A stock client gives up waiting
 * after six seconds and comes again by itself; one that stays is welcomed at
 * once when the database is there.
 *
 * A token that is held is wiped when it is no longer needed.
 */
#include "cable_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "cable.h"
#include "codes.h"
#include "config.h"
#include "conn.h"
#include "keys.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "parts.h"
#include "who.h"

static struct log_rate cable_rate;

void
cable_forget_token(struct cable *cable)
{
	if (cable->held_token)
	{
		explicit_bzero(cable->held_token, strlen(cable->held_token));
		free(cable->held_token);
	}
	cable->held_token = NULL;
}

static void
cable_hold_token(struct cable *cable, const char *token)
{
	cable_forget_token(cable);
	cable->held_token = mem_strdup(token);
	cable->held_ms = loop_clock_ms();
	keys_want(cable->bridge->keys);
}

/*
 * A token that has expired: the client can get a new one and come again.  One
 * that comes again and again with such a token cannot, and is told so.
 */
static void
cable_send_for_new_token(struct cable *cable)
{
	struct admission_who who = who_of(cable->conn, &cable->claims);

	if (admission_expired(cable->bridge->admission, &who, loop_clock_ms()))
		cable_want_close(cable, CODE_TOKEN_EXPIRED, true);
	else
	{
		metric_count(METRIC_REFUSED_RATE);
		cable_want_close(cable, CODE_UNAUTHORIZED, false);
	}
	auth_claims_drop(&cable->claims);
}

/* Nothing is counted once there were too many: the handshake is refused then. */
static void
cable_count_bad_token(struct cable *cable)
{
	if (cable->wait_s == 0)
		cable->wait_s = who_is_refused_s(cable->conn, NULL);
}

/*
 * Decide about a handshake's token, or about one that was held until now.  False:
 * it is none of ours, or not yet.
 */
bool
cable_identify(struct cable *cable, const char *token)
{
	const char *why;
	bool		is_ours = false;

	switch (auth_check(cable->bridge->auth, token, strlen(token), time(NULL),
					   &cable->claims, &why))
	{
		case AUTH_OK:
			return true;
		case AUTH_UNKNOWN_KEY:
			cable_hold_token(cable, token);
			return false;
		case AUTH_EXPIRED:
			is_ours = true;
			cable_send_for_new_token(cable);
			break;
		case AUTH_BAD:
			cable_count_bad_token(cable);
			cable_want_close(cable, CODE_UNAUTHORIZED, false);
			break;
	}
	metric_count(METRIC_REFUSED_TOKEN);
	if (log_rate_allows(&cable_rate, "cable"))
		log_info("cable", "not let in: %s", why);
	return is_ours;
}

/*
 * A newer token for the same subject takes the place of the present one.  What
 * it allows may differ, so everything is asked about again.
 */
void
cable_refresh(struct cable *cable, const char *token)
{
	struct auth_claims claims;
	const char *why;
	enum auth_result result;

	if (cable->bridge->config->auth == CONFIG_AUTH_NONE || !cable->is_open)
		return;
	result = auth_check(cable->bridge->auth, token, strlen(token), time(NULL), &claims, &why);
	if (result == AUTH_OK && claims.subject != cable->claims.subject)
	{
		why = "it is for another subject";
		result = AUTH_BAD;
	}
	if (result == AUTH_UNKNOWN_KEY)
		cable_hold_token(cable, token);
	else if (result != AUTH_OK)
	{
		metric_count(METRIC_REFUSED_TOKEN);
		if (log_rate_allows(&cable_rate, "cable"))
			log_info("cable", "token not refreshed: %s", why);
	}
	if (result != AUTH_OK)
	{
		auth_claims_drop(&claims);
		return;
	}

	auth_claims_drop(&cable->claims);
	cable->claims = claims;
	cable->is_warned = cable->owes_warning = false;
	for (struct cable_sub *item = cable->subs; item; item = item->next)
	{
		if (item->sub.owes_reject)
			continue;
		intern_drop(item->sub.claims);
		item->sub.claims = intern_hold(claims.payload);
		ask_sub(cable->bridge->ask, &item->sub);
	}
	conn_rearm(cable->conn);
}

/*
 * Somebody who manages users wants all of this subject's connections ended.
 */
void
cable_disconnect(void *client, const struct istr *subject, bool reconnect)
{
	struct cable *cable = client;

	if (cable->claims.subject == subject)
		cable_want_close(cable, CODE_REMOTE, reconnect);
}

/*
 * The keys have been read: decide about a token that waited for them.  If the
 * reading was begun before the token came, it waits for the next.
 */
static void
cable_keys_read(struct conn *conn, void *arg)
{
	struct cable *cable = cable_of(conn);
	struct bridge *bridge = arg;
	int64_t		held_ms;
	char	   *token;

	if (cable == NULL || cable->held_token == NULL || cable->close != CLOSE_NO)
		return;
	token = cable->held_token;
	held_ms = cable->held_ms;
	cable->held_token = NULL;
	if (cable->is_open)
		cable_refresh(cable, token);
	else
		(void) cable_identify(cable, token);
	if (cable->held_token && held_ms < keys_asked_ms(bridge->keys))
	{
		cable_forget_token(cable);
		if (log_rate_allows(&cable_rate, "cable"))
			log_info("cable", "not taken: the token's key is not known");
		if (!cable->is_open)
		{
			metric_count(METRIC_REFUSED_TOKEN);
			cable_count_bad_token(cable);
			cable_want_close(cable, CODE_UNAUTHORIZED, false);
		}
	}
	if (!cable->is_open && cable->claims.payload && conn->stage == CONN_CABLE)
		cable_welcome(cable);
	explicit_bzero(token, strlen(token));
	free(token);
}

void
cables_keys_read(struct bridge *bridge)
{
	conns_each(bridge->conns, cable_keys_read, bridge);
}
