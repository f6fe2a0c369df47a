/*
 * fuzz_auth.c
 *		No token opens anything but one that was signed with a known key.
 *
 * The first byte says what the rest is: a token as it comes from outside;
 * claims, which are then signed, so that what is behind the signature is seen
 * too; a header and claims with a signature that fits them; or a key.
 */
#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth.h"
#include "fuzz.h"
#include "log.h"

#define NOW				INT64_C(1800000000)
#define SECRET			"abcdefghijklmnopqrstuvwxyz012345"
#define SECRET_BASE64	"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU"

static struct intern *intern;
static struct auth *auth;

static const char *const public_keys[][3] = {
	{"es", "ES256", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"},
	{"rs", "RS256", "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx"
		"HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSH"
		"SXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8"
	"NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}"},
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	log_set_level(LOG_LEVEL_ERROR);
	intern = intern_create();
	auth = auth_create(intern, "");
	auth_keys_begin(auth);
	must_hold(auth_keys_add(auth, "hs", "HS256", "{\"kty\":\"oct\",\"k\":\"" SECRET_BASE64 "\"}"));
	for (size_t i = 0; i < sizeof(public_keys) / sizeof(public_keys[0]); i++)
		must_hold(auth_keys_add(auth, public_keys[i][0], public_keys[i][1], public_keys[i][2]));
	auth_keys_end(auth);
	return 0;
}

static size_t
add_base64url(char *out, const void *bytes, size_t len)
{
	char	   *encoded;
	size_t		encoded_len;
	cjose_err	err;

	must_hold(cjose_base64url_encode(bytes, len, &encoded, &encoded_len, &err));
	memcpy(out, encoded, encoded_len);
	cjose_get_dealloc() (encoded);
	return encoded_len;
}

/* A token of these two parts, signed with the secret; the caller frees it. */
static char *
sign(const char *header, size_t header_len, const char *claims, size_t claims_len)
{
	char	   *token = malloc(2 * (header_len + claims_len) + 128);
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned	mac_len;
	size_t		len;

	must_hold(token);
	len = add_base64url(token, header, header_len);
	token[len++] = '.';
	len += add_base64url(token + len, claims, claims_len);
	must_hold(HMAC(EVP_sha256(), SECRET, (int) strlen(SECRET), (unsigned char *) token, len, mac, &mac_len));
	token[len++] = '.';
	len += add_base64url(token + len, mac, mac_len);
	token[len] = '\0';
	return token;
}

/* "signed_header": by us, with the secret; NULL: by nobody. */
static void
check(const char *token, size_t len, const char *signed_header, size_t header_len)
{
	struct auth_claims claims;
	const char *why;
	enum auth_result result = auth_check(auth, token, len, NOW, &claims, &why);
	json_t	   *header;
	json_t	   *root;

	must_hold((result == AUTH_OK) == (claims.payload != NULL));
	must_hold(result == AUTH_OK || (why && (result == AUTH_EXPIRED || claims.subject == NULL)));
	if (result != AUTH_OK && result != AUTH_EXPIRED)
		return;

	/* nobody finds a signature by chance */
	must_hold(signed_header);
	if (result == AUTH_EXPIRED)
	{
		auth_claims_drop(&claims);
		return;
	}
	header = json_loadb(signed_header, header_len, 0, NULL);
	must_hold(json_is_object(header) && json_object_get(header, "crit") == NULL);
	must_hold(strcmp(json_string_value(json_object_get(header, "alg")), "HS256") == 0);
	must_hold(strcmp(json_string_value(json_object_get(header, "kid")), "hs") == 0);
	json_decref(header);

	root = json_loadb(claims.payload->bytes, claims.payload->len, JSON_REJECT_DUPLICATES, NULL);
	must_hold(json_is_object(root) && claims.expires_at > NOW);
	must_hold((claims.subject != NULL) == json_is_string(json_object_get(root, "sub")));
	json_decref(root);
	auth_claims_drop(&claims);
}

static void
check_key(const char *jwk)
{
	static const char *const algs[] = {"HS256", "RS256", "ES256", "none"};
	struct auth *another = auth_create(intern, "aud");

	auth_keys_begin(another);
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		must_hold(!auth_keys_add(another, "k", algs[i], jwk) || i < 3);
	auth_keys_end(another);
	auth_free(another);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const good = "{\"alg\":\"HS256\",\"kid\":\"hs\"}";
	struct fuzz_input input = {data, size};
	int			what = fuzz_byte(&input) & 3;
	const char *header = good;
	size_t		header_len = strlen(good);
	char	   *chunk = NULL;
	char	   *rest;
	char	   *token;

	if (what == 2)
		header = chunk = fuzz_chunk(&input, &header_len);
	rest = fuzz_text(input.next, input.left);
	if (what == 0)
		check(rest, input.left, NULL, 0);
	else if (what == 3)
		check_key(rest);
	else
	{
		token = sign(header, header_len, rest, input.left);
		check(token, strlen(token), header, header_len);
		free(token);
	}
	free(rest);
	free(chunk);
	return 0;
}
