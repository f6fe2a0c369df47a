/*
 * digest.c
 *		Keys of one size for whatever names somebody.
 *
 * Salted, so that nobody can choose names that fall into one chain of a table.
 * The workers look into the same tables, so they must have the same salt: it is
 * drawn before they are forked.
 */
#include "digest.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DIGEST_SALT_BYTES	16

static uint8_t salt[DIGEST_SALT_BYTES];
static bool is_open;

/* Draw the salt; before the workers are forked. */
void
digest_open(void)
{
	if (getrandom(salt, sizeof(salt), 0) != sizeof(salt))
		abort();
	is_open = true;
}

/* Names of different kinds never have the same. */
struct digest
digest_of(char kind, const void *bytes, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char whole[EVP_MAX_MD_SIZE];
	struct digest digest;

	if (!is_open)
		digest_open();
	if (context == NULL || !EVP_DigestInit_ex(context, EVP_sha256(), NULL) ||
		!EVP_DigestUpdate(context, salt, sizeof(salt)) ||
		!EVP_DigestUpdate(context, &kind, 1) ||
		!EVP_DigestUpdate(context, bytes, len) ||
		!EVP_DigestFinal_ex(context, whole, NULL))
		abort();
	EVP_MD_CTX_free(context);
	memcpy(digest.bytes, whole, sizeof(digest.bytes));
	return digest;
}
