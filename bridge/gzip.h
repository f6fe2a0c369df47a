/*
 * gzip.h
 *		Answers made smaller, for who can read them so.
 */
#ifndef GZIP_H
#define GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "msg.h"

/* Below this, what is saved is less than what it costs. */
#define GZIP_LEAST_BYTES	1024

bool		gzip_is_accepted(const char *accept_encoding);
bool		gzip_fits(const char *type);
struct msg *gzip_pack(const char *bytes, size_t len);

#endif							/* GZIP_H */
