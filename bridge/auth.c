/*
 * auth.c
 *		Who somebody is, from a signed token.
 *
 * Signatures are libcjose's work; what a signature is worth is decided here.
 * The token's kid names a key that the database gave, that key has one
 * algorithm, and a token that names any other algorithm is refused before
 * anything is verified: "none" and the confusion of a public key with a shared
 * secret end there.  Then exp, which must be there, nbf, and aud where one is
 * demanded.  Everything else in a token is the database's to judge: its
 * payload goes there as it stands.
 *
 * Pure: the caller says what time it is, and no token is ever logged.
 */
#include "auth.h"

#include <cjose/cjose.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define AUTH_KEYS_MAX		64
#define AUTH_KID_MAX		256
#define AUTH_LEEWAY_S		5	/* between two machines' clocks, for nbf */
#define AUTH_SECRET_BITS	256

struct auth_key
{
	char	   *kid;
	char	   *alg;
	cjose_jwk_t *jwk;
};

struct auth_keys
{
	int			count;
	struct auth_key items[AUTH_KEYS_MAX];
};

struct auth
{
	struct intern *intern;
	char	   *audience;		/* NULL: not checked */
	struct auth_keys keys;
	struct auth_keys coming;	/* between begin and end */
};

static void
keys_clear(struct auth_keys *keys)
{
	for (int i = 0; i < keys->count; i++)
	{
		free(keys->items[i].kid);
		free(keys->items[i].alg);
		cjose_jwk_release(keys->items[i].jwk);
	}
	keys->count = 0;
}

/* Whom tokens must be for; empty: that is not checked. */
void
auth_set_audience(struct auth *auth, const char *audience)
{
	free(auth->audience);
	auth->audience = audience[0] ? mem_strdup(audience) : NULL;
}

struct auth *
auth_create(struct intern *intern, const char *audience)
{
	struct auth *auth = mem_zalloc(sizeof(*auth));

	auth->intern = intern;
	auth_set_audience(auth, audience);
	return auth;
}

void
auth_free(struct auth *auth)
{
	keys_clear(&auth->keys);
	keys_clear(&auth->coming);
	free(auth->audience);
	free(auth);
}

/*
 * Base64 for URLs and nothing else?  libcjose asserts that no length is one more
 * than a multiple of four, and would end the program for a stranger's token.
 */
static bool
is_base64url(const char *text, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || strchr(letters, text[i]) == NULL)
			return false;
	return len % 4 != 1;
}

/* ---- keys ---- */

static bool
alg_fits_key(const char *alg, cjose_jwk_kty_t kty)
{
	static const struct
	{
		const char *alg;
		cjose_jwk_kty_t kty;
	}			known[] = {
		{"HS256", CJOSE_JWK_KTY_OCT}, {"HS384", CJOSE_JWK_KTY_OCT},
		{"HS512", CJOSE_JWK_KTY_OCT}, {"RS256", CJOSE_JWK_KTY_RSA},
		{"RS384", CJOSE_JWK_KTY_RSA}, {"RS512", CJOSE_JWK_KTY_RSA},
		{"PS256", CJOSE_JWK_KTY_RSA}, {"PS384", CJOSE_JWK_KTY_RSA},
		{"PS512", CJOSE_JWK_KTY_RSA}, {"ES256", CJOSE_JWK_KTY_EC},
		{"ES384", CJOSE_JWK_KTY_EC}, {"ES512", CJOSE_JWK_KTY_EC},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].alg, alg) == 0)
			return known[i].kty == kty;
	return false;
}

/* Are the numbers of a key what libcjose can read? */
static bool
is_readable_jwk(const char *jwk)
{
	json_t	   *root = json_loads(jwk, JSON_REJECT_DUPLICATES, NULL);
	const char *name;
	json_t	   *value;
	bool		ok = json_is_object(root);

	json_object_foreach(root, name, value)
		ok = ok && (strlen(name) > 2 || !json_is_string(value) ||
					is_base64url(json_string_value(value), json_string_length(value)));
	json_decref(root);
	return ok;
}

/*
 * Begin a new set of keys.  It takes the place of the present one at
 * auth_keys_end(), so that a key that is no longer told of is gone then.
 */
void
auth_keys_begin(struct auth *auth)
{
	keys_clear(&auth->coming);
}

/* False, with a line in the log, if the key cannot be used. */
bool
auth_keys_add(struct auth *auth, const char *kid, const char *alg, const char *jwk)
{
	static struct log_rate rate;
	struct auth_keys *keys = &auth->coming;
	cjose_err	err;
	cjose_jwk_t *key = is_readable_jwk(jwk) ? cjose_jwk_import(jwk, strlen(jwk), &err) : NULL;
	const char *why = NULL;

	if (keys->count == AUTH_KEYS_MAX)
		why = "too many keys";
	else if (key == NULL)
		why = "not a JWK";
	else if (!alg_fits_key(alg, cjose_jwk_get_kty(key, &err)))
		why = "its algorithm is not for a key of its type";
	else if (cjose_jwk_get_kty(key, &err) == CJOSE_JWK_KTY_OCT &&
			 cjose_jwk_get_keysize(key, &err) < AUTH_SECRET_BITS)
		why = "the secret is shorter than 32 bytes";
	if (why)
	{
		if (log_rate_allows(&rate, "auth"))
			log_warn("auth", "key not used: %s kid=%s alg=%s", why, kid, alg);
		if (key)
			cjose_jwk_release(key);
		return false;
	}
	keys->items[keys->count++] = (struct auth_key)
	{
		mem_strdup(kid), mem_strdup(alg), key
	};
	return true;
}

void
auth_keys_end(struct auth *auth)
{
	keys_clear(&auth->keys);
	auth->keys = auth->coming;
	auth->coming.count = 0;
}

int
auth_keys_count(const struct auth *auth)
{
	return auth->keys.count;
}

static const struct auth_key *
find_key(const struct auth *auth, const char *kid)
{
	for (int i = 0; i < auth->keys.count; i++)
		if (strcmp(auth->keys.items[i].kid, kid) == 0)
			return &auth->keys.items[i];
	return NULL;
}

/* ---- tokens ---- */

/*
 * The key that this token's header leads to, or why there is none.
 */
static enum auth_result
choose_key(const struct auth *auth, cjose_jws_t *jws, const struct auth_key **key,
		   const char **why)
{
	json_t	   *header = (json_t *) cjose_jws_get_protected(jws);
	const char *kid = json_string_value(json_object_get(header, "kid"));
	const char *alg = json_string_value(json_object_get(header, "alg"));

	*why = "the token's header lacks kid or alg";
	if (kid == NULL || alg == NULL || strlen(kid) > AUTH_KID_MAX)
		return AUTH_BAD;
	*why = "the token demands an extension";
	if (json_object_get(header, "crit"))
		return AUTH_BAD;
	*why = "the token's key is not known";
	*key = find_key(auth, kid);
	if (*key == NULL)
		return AUTH_UNKNOWN_KEY;
	*why = "the token's algorithm is not its key's";
	return strcmp((*key)->alg, alg) == 0 ? AUTH_OK : AUTH_BAD;
}

/* Three parts in base64, with dots between them? */
static bool
is_compact(const char *token, size_t len)
{
	for (int part = 1; part <= 3; part++)
	{
		const char *dot = memchr(token, '.', len);
		size_t		part_len = dot ? (size_t) (dot - token) : len;

		if ((dot == NULL) != (part == 3) || !is_base64url(token, part_len))
			return false;
		if (dot)
		{
			token = dot + 1;
			len -= part_len + 1;
		}
	}
	return true;
}

static bool
has_audience(const json_t *aud, const char *audience)
{
	size_t		index;
	json_t	   *item;

	if (json_is_string(aud))
		return strcmp(json_string_value(aud), audience) == 0;
	json_array_foreach(aud, index, item)
		if (json_is_string(item) && strcmp(json_string_value(item), audience) == 0)
		return true;
	return false;
}

/* A time in the token, in whole seconds. */
static bool
get_time(const json_t *value, int64_t *out)
{
	double		number = json_number_value(value);

	if (!json_is_number(value) || !(number > -1e15 && number < 1e15))
		return false;
	*out = (int64_t) number;
	return true;
}

static enum auth_result
judge_payload(const char *audience, const json_t *root, int64_t now,
			  struct auth_claims *claims, const char **why)
{
	const json_t *sub = json_object_get(root, "sub");
	const json_t *nbf = json_object_get(root, "nbf");
	int64_t		not_before = 0;

	*why = "the token's payload is not an object with sound claims";
	if (!json_is_object(root) || (sub && !json_is_string(sub)) ||
		(nbf && !get_time(nbf, &not_before)))
		return AUTH_BAD;
	*why = "the token has no exp";
	if (!get_time(json_object_get(root, "exp"), &claims->expires_at))
		return AUTH_BAD;
	*why = "the token is for another audience";
	if (audience && !has_audience(json_object_get(root, "aud"), audience))
		return AUTH_BAD;
	*why = "the token is not valid yet";
	if (not_before > now + AUTH_LEEWAY_S)
		return AUTH_BAD;
	*why = "the token has expired";
	if (claims->expires_at <= now)
		return AUTH_EXPIRED;
	*why = NULL;
	return AUTH_OK;
}

/*
 * Has the signature, in base64, the length that its algorithm demands?  Of a
 * shared secret's libcjose compares as many bytes as there should be, however
 * many there are.
 */
static bool
is_whole_signature(const char *alg, size_t len)
{
	if (alg[0] != 'H')
		return len > 0;
	return len == (strcmp(alg, "HS256") == 0 ? 43 : strcmp(alg, "HS384") == 0 ? 64 : 86);
}

static enum auth_result
check_jws(const struct auth *auth, const char *audience, cjose_jws_t *jws,
		  size_t signature_len, int64_t now,
		  struct auth_claims *claims, const char **why)
{
	const struct auth_key *key = NULL;
	enum auth_result result = choose_key(auth, jws, &key, why);
	uint8_t    *payload;
	size_t		len;
	json_t	   *root;
	const json_t *sub;
	cjose_err	err;

	if (result != AUTH_OK)
		return result;
	*why = "the token's signature is wrong";
	if (!is_whole_signature(key->alg, signature_len) ||
		!cjose_jws_verify(jws, key->jwk, &err) ||
		!cjose_jws_get_plaintext(jws, &payload, &len, &err))
		return AUTH_BAD;

	root = json_loadb((const char *) payload, len, JSON_REJECT_DUPLICATES, NULL);
	result = judge_payload(audience, root, now, claims, why);
	if (result == AUTH_OK)
		claims->payload = intern_get(auth->intern, (const char *) payload, len);
	if (result == AUTH_OK || result == AUTH_EXPIRED)
	{
		sub = json_object_get(root, "sub");
		if (sub)
			claims->subject = intern_get(auth->intern, json_string_value(sub),
										 json_string_length(sub));
	}
	json_decref(root);
	return result;
}

/*
 * Check a token at the time "now".  On AUTH_OK "claims" is filled, on
 * AUTH_EXPIRED its subject is, and it is to be dropped.  If not AUTH_OK, "why"
 * says what was wrong with it, in words fit for the log.
 */
enum auth_result
auth_check(const struct auth *auth, const char *token, size_t len, int64_t now,
		   struct auth_claims *claims, const char **why)
{
	return auth_check_for(auth, NULL, token, len, now, claims, why);
}

/* Likewise, one that is for this audience instead of the configured one. */
enum auth_result
auth_check_for(const struct auth *auth, const char *audience, const char *token,
			   size_t len, int64_t now, struct auth_claims *claims, const char **why)
{
	enum auth_result result;
	cjose_jws_t *jws;
	cjose_err	err;

	memset(claims, 0, sizeof(*claims));
	*why = "there is no token";
	if (len == 0)
		return AUTH_BAD;
	*why = "the token is not a signed JWT";
	if (len > AUTH_TOKEN_MAX || !is_compact(token, len))
		return AUTH_BAD;
	jws = cjose_jws_import(token, len, &err);
	if (jws == NULL)
		return AUTH_BAD;
	result = check_jws(auth, audience ? audience : auth->audience, jws,
					   len - (size_t) ((char *) memrchr(token, '.', len) + 1 - token), now, claims, why);
	cjose_jws_release(jws);
	return result;
}

void
auth_claims_drop(struct auth_claims *claims)
{
	intern_drop(claims->payload);
	intern_drop(claims->subject);
	memset(claims, 0, sizeof(*claims));
}
