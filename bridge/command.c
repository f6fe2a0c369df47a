/*
 * command.c
 *		What an Action Cable client says, and what it is told.
 *
 * An identifier is JSON inside a string, but to us it is an opaque key: clients
 * compare what comes back with what they sent, so it is never parsed and
 * printed again.  What is in it is the database's to read.
 */
#include "command.h"

#include <string.h>

static enum command_kind
command_kind_of(const char *name)
{
	static const struct
	{
		const char *name;
		enum command_kind kind;
	}			known[] = {
		{"subscribe", COMMAND_SUBSCRIBE}, {"unsubscribe", COMMAND_UNSUBSCRIBE},
		{"message", COMMAND_MESSAGE}, {"refresh", COMMAND_REFRESH},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].kind;
	return COMMAND_UNKNOWN;
}

/*
 * The data of a message: the stock client sends an object as JSON in a string,
 * others send the object itself.
 */
static void
command_parse_data(struct command *command)
{
	json_t	   *data = json_object_get(command->root, "data");

	if (json_is_string(data))
		command->data = json_loadb(json_string_value(data), json_string_length(data),
								   JSON_REJECT_DUPLICATES, NULL);
	else
		command->data = json_incref(data);
	command->action = json_string_value(json_object_get(command->data, "action"));
	command->token = json_string_value(json_object_get(command->data, "token"));
}

/*
 * Parse one frame.  On true the caller clears the command, whose kind may be
 * COMMAND_UNKNOWN; on false there is nothing to clear.
 */
bool
command_parse(const char *text, size_t len, struct command *command)
{
	json_t	   *identifier;
	const char *name;

	memset(command, 0, sizeof(*command));
	command->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	name = json_string_value(json_object_get(command->root, "command"));
	if (name == NULL)
	{
		command_clear(command);
		return false;
	}
	command->kind = command_kind_of(name);
	if (command->kind == COMMAND_REFRESH)
		command->token = json_string_value(json_object_get(command->root, "token"));
	else if (command->kind != COMMAND_UNKNOWN)
	{
		identifier = json_object_get(command->root, "identifier");
		if (json_string_length(identifier) == 0)
		{
			command_clear(command);
			return false;
		}
		command->identifier = json_string_value(identifier);
		command->identifier_len = json_string_length(identifier);
	}
	if (command->kind == COMMAND_MESSAGE)
		command_parse_data(command);
	return true;
}

void
command_clear(struct command *command)
{
	json_decref(command->data);
	json_decref(command->root);
	memset(command, 0, sizeof(*command));
}

/* ---- frames ---- */

void
frame_welcome(struct buf *out)
{
	buf_reset(out);
	buf_add_text(out, "{\"type\":\"welcome\"}");
}

void
frame_ping(struct buf *out, int64_t now_s)
{
	buf_reset(out);
	buf_printf(out, "{\"type\":\"ping\",\"message\":%lld}", (long long) now_s);
}

/*
 * Rails has no such frame.  The stock client takes one whose type it does not
 * know for a message: with an identifier that is nobody's it goes nowhere,
 * without any it throws an exception at the page.
 */
void
frame_token_expiring(struct buf *out)
{
	buf_reset(out);
	buf_add_text(out, "{\"identifier\":\"\",\"type\":\"token_expiring\"}");
}

void
frame_disconnect(struct buf *out, const char *reason, bool reconnect)
{
	buf_reset(out);
	buf_printf(out, "{\"type\":\"disconnect\",\"reason\":\"%s\",\"reconnect\":%s}",
			   reason, reconnect ? "true" : "false");
}

static void
frame_of_type(struct buf *out, const char *identifier, size_t len, const char *type)
{
	buf_reset(out);
	buf_add_text(out, "{\"identifier\":");
	buf_add_json_string(out, identifier, len);
	buf_printf(out, ",\"type\":\"%s\"}", type);
}

void
frame_confirm(struct buf *out, const struct istr *identifier)
{
	frame_of_type(out, identifier->bytes, identifier->len, "confirm_subscription");
}

void
frame_reject_text(struct buf *out, const char *identifier, size_t len)
{
	frame_of_type(out, identifier, len, "reject_subscription");
}

void
frame_reject(struct buf *out, const struct istr *identifier)
{
	frame_reject_text(out, identifier->bytes, identifier->len);
}

void
frame_message_text(struct buf *out, const struct istr *identifier,
				   const char *message, size_t len)
{
	buf_reset(out);
	buf_add_text(out, "{\"identifier\":");
	buf_add_json_string(out, identifier->bytes, identifier->len);
	buf_add_text(out, ",\"message\":");
	buf_add(out, message, len);
	buf_add_text(out, "}");
}

void
frame_message(struct buf *out, const struct istr *identifier, const struct msg *payload)
{
	frame_message_text(out, identifier, payload->bytes, payload->len);
}

void
frame_event(struct buf *out, const struct istr *identifier, const char *type,
			const struct msg *data)
{
	buf_reset(out);
	buf_add_text(out, "{\"identifier\":");
	buf_add_json_string(out, identifier->bytes, identifier->len);
	buf_printf(out, ",\"message\":{\"type\":\"%s\"", type);
	if (data)
	{
		buf_add_text(out, ",\"data\":");
		buf_add(out, data->bytes, data->len);
	}
	buf_add_text(out, "}}");
}
