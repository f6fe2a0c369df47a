/*
 * digest.h
 *		Keys of one size for whatever names somebody.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES	16

struct digest
{
	uint8_t		bytes[DIGEST_BYTES];
};

void		digest_open(void);
struct digest digest_of(char kind, const void *bytes, size_t len);

#endif							/* DIGEST_H */
