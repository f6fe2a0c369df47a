/*
 * buf.h
 *		A growing byte buffer with room before its first byte.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

/*
 * Room kept in front of the data.  A WebSocket header is written there, so
 * that a frame needs no second copy.
 */
#define BUF_HEADROOM	32

struct buf
{
	char	   *data;			/* NUL-terminated, or NULL while empty */
	size_t		len;
	size_t		cap;
};

void		buf_free(struct buf *buf);
void		buf_reset(struct buf *buf);
void		buf_add(struct buf *buf, const char *bytes, size_t len);
void		buf_add_text(struct buf *buf, const char *text);
void		buf_printf(struct buf *buf, const char *fmt,...) printf_like(2, 3);
void		buf_add_json_string(struct buf *buf, const char *bytes, size_t len);
void		buf_add_array_item(struct buf *buf, const char *bytes, size_t len);

#endif							/* BUF_H */
