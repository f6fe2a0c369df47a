/*
 * buf.c
 *		A growing byte buffer with room before its first byte.
 *
 * Two notations are written often enough to live here: a JSON string, for
 * identifiers that must come back to a client exactly as it sent them, and an
 * element of a PostgreSQL array literal, for batches.
 */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
buf_reserve(struct buf *buf, size_t more)
{
	size_t		need = buf->len + more + 1;
	char	   *base = buf->data ? buf->data - BUF_HEADROOM : NULL;

	if (need <= buf->cap)
		return;
	if (buf->cap == 0)
		buf->cap = 256;
	while (buf->cap < need)
		buf->cap *= 2;
	base = mem_grow(base, BUF_HEADROOM + buf->cap);
	buf->data = base + BUF_HEADROOM;
}

void
buf_free(struct buf *buf)
{
	if (buf->data)
		free(buf->data - BUF_HEADROOM);
	memset(buf, 0, sizeof(*buf));
}

/*
 * Empty the buffer and keep its memory, unless one huge message has made it
 * much larger than what is usual.
 */
void
buf_reset(struct buf *buf)
{
	if (buf->cap > 1024 * 1024)
		buf_free(buf);
	buf->len = 0;
	buf_reserve(buf, 0);
	buf->data[0] = '\0';
}

void
buf_add(struct buf *buf, const char *bytes, size_t len)
{
	buf_reserve(buf, len);
	if (len > 0)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void
buf_add_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void
buf_printf(struct buf *buf, const char *fmt,...)
{
	va_list		args;
	int			need;

	va_start(args, fmt);
	need = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (need < 0)
		return;

	buf_reserve(buf, (size_t) need);
	va_start(args, fmt);
	vsnprintf(buf->data + buf->len, (size_t) need + 1, fmt, args);
	va_end(args);
	buf->len += (size_t) need;
}

/*
 * Append "bytes", valid UTF-8, as a JSON string with its quotes.
 *
 * Only what JSON demands is escaped: a parser gives back the same bytes.
 */
void
buf_add_json_string(struct buf *buf, const char *bytes, size_t len)
{
	size_t		from = 0;

	buf_add(buf, "\"", 1);
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) bytes[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(buf, bytes + from, i - from);
		if (c < 0x20)
			buf_printf(buf, "\\u%04x", c);
		else
		{
			char		escaped[2] = {'\\', (char) c};

			buf_add(buf, escaped, 2);
		}
		from = i + 1;
	}
	buf_add(buf, bytes + from, len - from);
	buf_add(buf, "\"", 1);
}

/*
 * Append one element to an array literal that was begun with "{".
 */
void
buf_add_array_item(struct buf *buf, const char *bytes, size_t len)
{
	size_t		from = 0;

	if (buf->len > 1)
		buf_add(buf, ",", 1);
	buf_add(buf, "\"", 1);
	for (size_t i = 0; i < len; i++)
	{
		if (bytes[i] != '"' && bytes[i] != '\\')
			continue;
		buf_add(buf, bytes + from, i - from);
		buf_add(buf, "\\", 1);
		from = i;
	}
	buf_add(buf, bytes + from, len - from);
	buf_add(buf, "\"", 1);
}
