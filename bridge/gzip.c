/*
 * gzip.c
 *		Answers made smaller, for who can read them so.
 *
 * Pure but for one thing: the compressor's memory, a quarter of a megabyte, is
 * taken once and used for all, one after the other.
 */
#include "gzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define GZIP_LEVEL		6
#define GZIP_WINDOW		(15 + 16)	/* 16: with gzip's header */
#define GZIP_MEMORY		8

/* Is this item's weight zero, as in "gzip;q=0.000"? */
static bool
is_refused(const char *item, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++)
		if ((item[i] == 'q' || item[i] == 'Q') && item[i + 1] == '=')
		{
			size_t		digits = strspn(item + i + 2, "0.");

			return i + 2 + digits >= len || strchr(" \t,;", item[i + 2 + digits]) != NULL;
		}
	return false;
}

/*
 * Does this Accept-Encoding take gzip?  By name, or by "*" if the name is not
 * there.  NULL, as when nothing is said, takes nothing.
 */
bool
gzip_is_accepted(const char *accept_encoding)
{
	const char *at = accept_encoding ? accept_encoding : "";
	bool		by_star = false;

	while (*at)
	{
		size_t		len;
		size_t		name_len;

		at += strspn(at, ", \t");
		len = strcspn(at, ",");
		name_len = strcspn(at, ",; \t");
		if ((name_len == 4 && strncasecmp(at, "gzip", 4) == 0) ||
			(name_len == 6 && strncasecmp(at, "x-gzip", 6) == 0))
			return !is_refused(at, len);
		if (name_len == 1 && *at == '*')
			by_star = !is_refused(at, len);
		at += len;
	}
	return by_star;
}

/* Is this type worth it?  Images and fonts are compressed already. */
bool
gzip_fits(const char *type)
{
	return strncmp(type, "text/", 5) == 0 || strncmp(type, "application/json", 16) == 0 ||
		strncmp(type, "image/svg", 9) == 0;
}

/*
 * The compressed form, or NULL if there is none that is smaller.  The caller
 * drops it.
 */
struct msg *
gzip_pack(const char *bytes, size_t len)
{
	static z_stream stream;
	static bool is_ready;
	struct msg *packed = NULL;
	unsigned char *out;

	if (len < GZIP_LEAST_BYTES)
		return NULL;
	if (!is_ready && deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
								  Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	is_ready = true;
	if (deflateReset(&stream) != Z_OK)
		return NULL;
	out = mem_alloc(len);
	stream.next_in = (unsigned char *) (uintptr_t) bytes;
	stream.avail_in = (unsigned) len;
	stream.next_out = out;
	stream.avail_out = (unsigned) len;
	if (deflate(&stream, Z_FINISH) == Z_STREAM_END)
		packed = msg_create((char *) out, len - stream.avail_out);
	free(out);
	return packed;
}
