/*
 * cable_command.c
 *		What a client of the cable asks for.
 *
 * As Rails does it: a second subscribe with the same identifier is silent, an
 * unsubscribe is not answered, and what is not understood is logged, in few
 * lines, and changes nothing.
 */
#include "cable_private.h"

#include <string.h>

#include "ask.h"
#include "command.h"
#include "config.h"
#include "conn.h"
#include "intern.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "parts.h"
#include "who.h"

static struct log_rate cable_rate;

/* The subscription of that name, unless it is over. */
struct cable_sub *
cable_find(struct cable *cable, const char *identifier, size_t len)
{
	struct istr *key = intern_find(cable->bridge->intern, identifier, len);

	for (struct cable_sub *item = cable->subs; key && item; item = item->next)
		if (item->sub.identifier == key && !item->sub.owes_reject)
			return item;
	return NULL;
}

/*
 * Refuse without asking.  If it cannot be written now it is not written: the
 * client sends its subscribe again until it has an answer.
 */
static void
cable_reject_now(struct cable *cable, const struct command *command, const char *why)
{
	struct buf *out = conns_scratch(cable->conn->conns);

	log_debug("cable", "rejected: %s", why);
	if (!cable_is_idle(cable))
		return;
	frame_reject_text(out, command->identifier, command->identifier_len);
	conn_send(cable->conn, out);
}

/* As the hub tells it. */
void
cable_refused(void *client, const struct hub_sub *sub)
{
	struct cable *cable = client;

	who_was_refused(cable->conn, &cable->claims, sub->identifier->bytes,
					sub->identifier->len);
}

/*
 * Was this client's subject refused so often that nothing more is asked for it?
 * While it waits to be let in, it is not known whose it is.
 */
static bool
cable_is_over_limit(struct cable *cable)
{
	if (!cable->is_open || who_waits_s(cable->conn, &cable->claims) == 0)
		return false;
	metric_count(METRIC_REFUSED_RATE);
	return true;
}

static void
cable_subscribe(struct cable *cable, const struct command *command)
{
	if (command->identifier_len > COMMAND_IDENTIFIER_MAX)
	{
		metric_count(METRIC_REFUSED_IDENTIFIER);
		who_was_refused(cable->conn, &cable->claims, command->identifier,
						command->identifier_len);
		cable_reject_now(cable, command, "identifier too long");
		return;
	}
	if (cable_find(cable, command->identifier, command->identifier_len))
		return;
	if (cable_is_over_limit(cable))
	{
		cable_reject_now(cable, command, "refused_per_minute is reached");
		return;
	}
	if (cable->subs_count >= cable->bridge->config->max_subscriptions)
	{
		metric_count(METRIC_REFUSED_SUBSCRIPTIONS);
		cable_reject_now(cable, command, "max_subscriptions is reached");
		return;
	}

	cable_sub_add(cable, command->identifier, command->identifier_len);
}

static void
cable_perform(struct cable *cable, const struct command *command)
{
	struct cable_sub *item = cable_find(cable, command->identifier,
										command->identifier_len);
	const char *action = command->action ? command->action : "";

	if (strcmp(action, "refresh") == 0 && command->token)
		cable_refresh(cable, command->token);
	else if (item == NULL || !cable->is_open || action[0] == '\0')
	{
		metric_count(METRIC_UNKNOWN_COMMANDS);
		if (log_rate_allows(&cable_rate, "cable"))
			log_debug("cable", "message ignored action=%.64s subscribed=%s", action,
					  item ? "yes" : "no");
	}
	else if (strcmp(action, "request_update") == 0)
	{
		item->sub.ask_resend = true;
		ask_sub(cable->bridge->ask, &item->sub);
	}
	else
		cable_act(cable, item->sub.identifier, command, cable_is_over_limit(cable));
}

/*
 * One whole frame from the client.
 */
void
cable_take_frame(struct cable *cable, const char *text, size_t len)
{
	struct command command;
	struct cable_sub *item;

	if (cable->close != CLOSE_NO)
		return;
	metric_count(METRIC_FRAMES_IN);
	if (!command_parse(text, len, &command))
	{
		metric_count(METRIC_UNKNOWN_COMMANDS);
		if (log_rate_allows(&cable_rate, "cable"))
			log_debug("cable", "frame not understood bytes=%zu", len);
		return;
	}
	switch (command.kind)
	{
		case COMMAND_SUBSCRIBE:
			cable_subscribe(cable, &command);
			break;
		case COMMAND_UNSUBSCRIBE:
			item = cable_find(cable, command.identifier, command.identifier_len);
			if (item)
				cable_sub_drop(cable, item);
			break;
		case COMMAND_MESSAGE:
			cable_perform(cable, &command);
			break;
		case COMMAND_REFRESH:
			if (command.token)
				cable_refresh(cable, command.token);
			break;
		case COMMAND_UNKNOWN:
			metric_count(METRIC_UNKNOWN_COMMANDS);
			if (log_rate_allows(&cable_rate, "cable"))
				log_debug("cable", "unknown command bytes=%zu", len);
			break;
	}
	command_clear(&command);
}
