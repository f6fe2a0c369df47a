/*
 * forwarded.c
 *		What a trusted proxy says of the client that it asks for.
 *
 * A proxy may use one connection for many clients, so each request says anew
 * whose it is.  From anybody but a trusted proxy none of these headers is
 * looked at.
 */
#include "forwarded.h"

#include <libwebsockets.h>
#include <string.h>
#include <sys/socket.h>

#include "admission.h"
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
forwarded_take(struct conn *conn, struct lws *wsi)
{
	static struct log_rate rate;
	struct admission *admission = conns_bridge(conn->conns)->admission;
	struct sockaddr_storage peer = {0};
	socklen_t	len = sizeof(peer);
	char		list[LOOP_HEADER_BYTES];
	char text[	ADDRESS_TEXT_MAX];
	struct address address;
	struct istr *place;

	if (!conn->is_proxied)
		return true;
	if (getpeername(lws_get_socket_fd(wsi), (struct sockaddr *) &peer, &len) != 0)
		return false;
	address_of_socket((struct sockaddr *) &peer, &address);
	copy_list(wsi, list, sizeof(list));
	address = admission_client(admission, &address, list);
	place = admission_place(admission, &address);
	intern_drop(conn->place);
	conn->place = place;
	if (admission_is_proxy(admission, &address) || !admission_is_crowded(admission, place))
		return true;
	metric_count(METRIC_REFUSED_PLACE);
	if (log_rate_allows(&rate, "forwarded"))
	{
		address_format(&address, text, sizeof(text));
		log_warn("forwarded", "request refused, max_connections_per_address is reached "
				 "address=%s", text);
	}
	return false;
}

/*
 * The host that the page asked for: what the proxy was asked for, if it says so.
 * Of several the first is what the page itself wrote.
 */
void
forwarded_host(const struct conn *conn, struct lws *wsi, char *host, size_t size)
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
