/*
 * who.c
 *		Whom a client is counted as.
 *
 * By its token if it has a good one, else by where it is.  Where that is, a
 * trusted proxy says: it may use one connection for many clients, so each
 * request says anew whose it is.  From anybody else the proxies' headers are
 * not looked at.
 */
#include "who.h"

#include <libwebsockets.h>
#include <string.h>
#include <sys/socket.h>

#include "auth.h"
#include "conn.h"
#include "intern.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "parts.h"

/* Repeated headers are one list. */
static void
copy_list(struct lws *wsi, char *out, size_t size)
{
	if (lws_hdr_total_length(wsi, WSI_TOKEN_X_FORWARDED_FOR) == 0 ||
		lws_hdr_copy(wsi, out, (int) size, WSI_TOKEN_X_FORWARDED_FOR) < 0)
		out[0] = '\0';
}

/*
 * A request has come: whose is it?  False: more connections are there from that
 * place than may be.
 */
bool
who_asks(struct conn *conn, struct lws *wsi)
{
	static struct log_rate rate;
	struct admission *admission = conns_bridge(conn->conns)->admission;
	struct sockaddr_storage peer = {0};
	socklen_t	len = sizeof(peer);
	char		list[LOOP_HEADER_BYTES];
	char		shown[ADDRESS_TEXT_MAX];
	struct address address;

	if (!conn->is_proxied)
		return true;
	if (getpeername(lws_get_socket_fd(wsi), (struct sockaddr *) &peer, &len) != 0)
		return false;
	address_of_socket((struct sockaddr *) &peer, &address);
	copy_list(wsi, list, sizeof(list));
	address = admission_client(admission, &address, list);
	if (admission_move(admission, &address, &conn->place))
		return true;
	metric_count(METRIC_REFUSED_PLACE);
	if (log_rate_allows(&rate, "who"))
	{
		address_format(&address, shown, sizeof(shown));
		log_warn("who", "request refused, max_connections_per_address is reached "
				 "address=%s", shown);
	}
	return false;
}

/*
 * The host that the page asked for: what the proxy was asked for, if it says so.
 * Of several the first is what the page itself wrote.
 */
void
who_is_asked(const struct conn *conn, struct lws *wsi, char *host, size_t size)
{
	static const char name[] = "x-forwarded-host:";
	char		said[256];
	int			len;

	if (!conn->is_proxied)
		return;
	len = lws_hdr_custom_copy(wsi, said, sizeof(said), name, sizeof(name) - 1);
	if (len <= 0)
		return;
	said[strcspn(said, ", \t")] = '\0';
	if (said[0] && strlen(said) < size)
		memcpy(host, said, strlen(said) + 1);
}

/*
 * A worker's token has no subject, but names its job.  Without tokens all have
 * the same claims, so that each is counted by where it is.
 */
struct admission_who
who_of(const struct conn *conn, const struct auth_claims *claims)
{
	const struct config *config = conns_bridge(conn->conns)->config;
	struct admission_who who = {.place = conn->place};

	if (claims)
		who.subject = claims->subject;
	if (claims && who.subject == NULL && config->auth != CONFIG_AUTH_NONE)
		who.subject = claims->payload;
	return who;
}

/* Whose a call of the database is, among which callers take turns. */
const struct istr *
who_calls(const struct conn *conn, const struct auth_claims *claims)
{
	struct admission_who who = who_of(conn, claims);

	return who.subject ? who.subject : who.place;
}

static int
seconds(int64_t wait_ms)
{
	return (int) ((wait_ms + 999) / 1000);
}

/* 0, or in how many seconds it may ask again: it was refused too often. */
int
who_waits_s(const struct conn *conn, const struct auth_claims *claims)
{
	struct admission_who who = who_of(conn, claims);

	return seconds(admission_wait_ms(conns_bridge(conn->conns)->admission, &who,
									 loop_clock_ms()));
}

/*
 * It is to be refused, for nothing that has a name: 0, and it is counted; or that
 * was too often, and in how many seconds it may ask again.
 */
int
who_is_refused_s(const struct conn *conn, const struct auth_claims *claims)
{
	struct admission_who who = who_of(conn, claims);

	return seconds(admission_refuse_ms(conns_bridge(conn->conns)->admission, &who,
									   loop_clock_ms()));
}

void
who_was_refused(const struct conn *conn, const struct auth_claims *claims,
				const char *what, size_t len)
{
	struct admission_who who = who_of(conn, claims);

	admission_refused(conns_bridge(conn->conns)->admission, &who, what, len,
					  loop_clock_ms());
}
