/*
 * auth.h
 *		Who somebody is, from a signed token.
 */
#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intern.h"

#define AUTH_TOKEN_MAX		4096

struct auth;

enum auth_result
{
	AUTH_OK,
	AUTH_BAD,					/* not a token that this service takes */
	AUTH_EXPIRED,				/* it was one */
	AUTH_UNKNOWN_KEY			/* perhaps one, once the keys are read again */
};

/*
 * What a good token says, and whose an expired one was.  The caller drops both
 * texts.
 */
struct auth_claims
{
	struct istr *payload;		/* the whole payload, as it stands */
	struct istr *subject;		/* NULL: none */
	int64_t		expires_at;		/* seconds since 1970; 0: never */
};

struct auth *auth_create(struct intern *intern, const char *audience) must_check;
void		auth_set_audience(struct auth *auth, const char *audience);
void		auth_free(struct auth *auth);
void		auth_keys_begin(struct auth *auth);
bool		auth_keys_add(struct auth *auth, const char *kid, const char *alg,
						  const char *jwk);
void		auth_keys_end(struct auth *auth);
int			auth_keys_count(const struct auth *auth);
enum auth_result auth_check(const struct auth *auth, const char *token, size_t len,
							int64_t now, struct auth_claims *claims,
							const char **why) must_check;
enum auth_result auth_check_for(const struct auth *auth, const char *audience,
								const char *token, size_t len, int64_t now,
								struct auth_claims *claims, const char **why) must_check;
void		auth_claims_drop(struct auth_claims *claims);

#endif							/* AUTH_H */
