/*
 * wire.c
 *		Messages in a stream of bytes: WebSocket frames, or Server-Sent Events.
 *
 * Only what a measuring client needs.  It does not judge whether the server
 * keeps to the protocol (the tests do), and of JSON it looks only for two keys.
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>


/*
 * The first frame in "data", of which it returns the length; 0: it is not
 * complete.  Servers send messages in one frame; a continuation is WIRE_OTHER.
 */
size_t
wire_next_frame(const char *data, size_t len, struct wire_message *message)
{
	const unsigned char *bytes = (const unsigned char *) data;
	size_t		header = 2;
	uint64_t	size;

	message->kind = WIRE_NONE;
	if (len < 2)
		return 0;
	size = bytes[1] & 0x7f;
	if (size == 126)
		header = 4;
	else if (size == 127)
		header = 10;
	if (len < header)
		return 0;
	if (header > 2)
	{
		size = 0;
		for (size_t i = 2; i < header; i++)
			size = size << 8 | bytes[i];
	}
	if (len - header < size)
		return 0;
	message->text = data + header;
	message->len = (size_t) size;
	switch (bytes[0] & 0x0f)
	{
		case 1:
			message->kind = WIRE_TEXT;
			break;
		case 8:
			message->kind = WIRE_CLOSE;
			break;
		case 9:
			message->kind = WIRE_PING;
			break;
		default:
			message->kind = WIRE_OTHER;
	}
	return header + (size_t) size;
}

/* Likewise a line; lines that do not begin with "data:" are WIRE_OTHER. */
size_t
wire_next_event(const char *data, size_t len, struct wire_message *message)
{
	const char *end = memchr(data, '\n', len);

	message->kind = WIRE_NONE;
	if (end == NULL)
		return 0;
	message->kind = WIRE_OTHER;
	if (end - data >= 5 && memcmp(data, "data:", 5) == 0)
	{
		message->kind = WIRE_TEXT;
		message->text = data + 5;
		message->len = (size_t) (end - data) - 5;
	}
	return (size_t) (end - data) + 1;
}

/* A masked frame, as clients send them; "out" must have 14 bytes more room. */
size_t
wire_put_frame(char *out, int opcode, const char *text, size_t len)
{
	static const char mask[4] = {0x37, (char) 0xfa, 0x21, 0x3d};
	size_t		at = 0;

	out[at++] = (char) (0x80 | opcode);
	if (len < 126)
		out[at++] = (char) (0x80 | len);
	else
	{
		out[at++] = (char) (0x80 | 126);
		out[at++] = (char) (len >> 8);
		out[at++] = (char) len;
	}
	memcpy(out + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < len; i++)
		out[at++] = text[i] ^ mask[i % 4];

	return at;
}

static const char *
find(const struct wire_message *message, const char *key)
{
	const char *at = memmem(message->text, message->len, key, strlen(key));

	return at ? at + strlen(key) : NULL;
}

bool
wire_find_integer(const struct wire_message *message, const char *key, int64_t *value)
{
	const char *end = message->text +message->len;
	const char *at = find(message, key);
	int64_t		number = 0;

	while (at && at < end && *at == ' ')
		at++;
	if (at == NULL || at == end || *at < '0' || *at > '9')
		return false;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (*at - '0');
	*value = number;
	return true;
}

bool
wire_find_decimal(const struct wire_message *message, const char *key, double *value)
{
	char		copy[32];
	const char *at = find(message, key);
	size_t		len;

	if (at == NULL)
		return false;
	len = (size_t) (message->text +message->len - at);
	if (len > sizeof(copy) - 1)
		len = sizeof(copy) - 1;
	memcpy(copy, at, len);
	copy[len] = '\0';
	*value = strtod(copy, NULL);
	return *value != 0;
}
