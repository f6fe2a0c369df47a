/*
 * clients.c
 *		All who are connected, whatever they speak.
 *
 * Each transport knows how its clients take leave; here is only who is meant.
 * Every connection is looked at, for this is done by an administrator and not
 * by the thousand a second: an index by subject would cost each connection
 * memory for ever.
 */
#include "clients.h"

#include <string.h>

#include "conn.h"
#include "intern.h"
#include "log.h"
#include "parts.h"

struct leave
{
	const struct istr *subject;
	bool		reconnect;
};

static void
disconnect(struct conn *conn, void *arg)
{
	const struct leave *leave = arg;

	if (conn->ops && conn->ops->disconnect)
		conn->ops->disconnect(conn->client, leave->subject, leave->reconnect);
}

/*
 * End every connection that has come with a token of this subject, after
 * telling it so and whether it may come again.  A token that is held until the
 * keys are read has no subject yet, and none has who was let in without one.
 */
void
clients_disconnect(struct bridge *bridge, const char *subject, bool reconnect)
{
	static struct log_rate rate;
	struct leave leave = {
		.subject = intern_find(bridge->intern, subject, strlen(subject)),
		.reconnect = reconnect
	};

	if (log_rate_allows(&rate, "clients"))
		log_info("clients", "disconnecting an owner known=%s reconnect=%s",
				 leave.subject ? "yes" : "no", reconnect ? "yes" : "no");
	if (leave.subject)
		conns_each(bridge->conns, disconnect, &leave);
}
