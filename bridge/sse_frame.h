/*
 * sse_frame.h
 *		Server-sent events, byte for byte.
 */
#ifndef SSE_FRAME_H
#define SSE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

void		sse_frame_message(struct buf *out, const char *name, int64_t id,
							  const char *data, size_t len);
void		sse_frame_error(struct buf *out, const char *name, const char *message,
							bool reconnect);
void		sse_frame_retry(struct buf *out, int retry_ms);
void		sse_frame_comment(struct buf *out, size_t len);
int64_t		sse_last_id(const char *text, int64_t now_us);

#endif							/* SSE_FRAME_H */
