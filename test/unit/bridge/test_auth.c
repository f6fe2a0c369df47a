/* A token is worth what its key, its algorithm and its times say. */
#include "auth.h"

#include <cjose/cjose.h>
#include <stdlib.h>

#include "tap.h"

#define NOW 1800000000

static struct intern *intern;
static struct auth *auth;

/* Sign "payload"; NULL leaves a member of the header out. */
static char *
sign(const char *jwk, const char *alg, const char *kid, const char *payload)
{
	cjose_err	err;
	cjose_jwk_t *key = cjose_jwk_import(jwk, strlen(jwk), &err);
	cjose_header_t *header = cjose_header_new(&err);
	cjose_jws_t *jws;
	const char *text = "";
	char	   *copy;

	cjose_header_set(header, "alg", alg, &err);
	if (kid)
		cjose_header_set(header, "kid", kid, &err);
	jws = cjose_jws_sign(key, header, (const uint8_t *) payload, strlen(payload), &err);
	cjose_jws_export(jws, &text, &err);
	copy = strdup(text);
	cjose_jws_release(jws);
	cjose_header_release(header);
	cjose_jwk_release(key);
	return copy;
}

static const char *const secret =
"{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";
static const char *const other =
"{\"kty\":\"oct\",\"k\":\"HxECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";

static const char *
name_of(enum auth_result result)
{
	static const char *const names[] = {"ok", "bad", "expired", "unknown key"};

	return names[result];
}

static void
check(char *token, const char *want, const char *name)
{
	struct auth_claims claims;
	const char *why;

	is(name_of(auth_check(auth, token, strlen(token), NOW, &claims, &why)), want, name);
	auth_claims_drop(&claims);
	free(token);
}

static void
check_payload(const char *payload, const char *want, const char *name)
{
	check(sign(secret, "HS256", "k1", payload), want, name);
}

static char *
with_header(const char *header64, const char *rest_of)
{
	char	   *token = malloc(strlen(header64) + strlen(rest_of) + 1);

	strcpy(token, header64);
	strcat(token, strchr(rest_of, '.'));
	return token;
}

static void
test_keys(void)
{
	auth_keys_begin(auth);
	ok(auth_keys_add(auth, "k1", "HS256", secret), "a secret of 32 bytes is a key");
	ok(!auth_keys_add(auth, "k2", "HS256", "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}"), "a shorter one is not");
	ok(!auth_keys_add(auth, "k3", "RS256", secret), "nor one for another type's algorithm");
	ok(!auth_keys_add(auth, "k4", "none", secret), "nor for none");
	ok(!auth_keys_add(auth, "k5", "HS256", "nonsense"), "nor what is no JWK");
	is_int(auth_keys_count(auth), 0, "new keys count only when all were told");
	auth_keys_end(auth);
	is_int(auth_keys_count(auth), 1, "then the good ones do");
}

static void
test_claims(void)
{
	const char *payload = "{\"sub\":\"alice\",\"exp\":1800000060,\"sessions\":[42]}";
	char	   *token = sign(secret, "HS256", "k1", payload);
	struct auth_claims claims;
	struct auth_claims again;
	const char *why;

	ok(auth_check(auth, token, strlen(token), NOW, &claims, &why) == AUTH_OK && why == NULL, "a good token");
	is(claims.payload->bytes, payload, "its payload as it stands");
	is(claims.subject->bytes, "alice", "its subject");
	is_int(claims.expires_at, 1800000060, "its end");
	ok(auth_check(auth, token, strlen(token), NOW, &again, &why) == AUTH_OK &&
	   again.payload == claims.payload, "the same claims are one object");
	auth_claims_drop(&again);
	auth_claims_drop(&claims);
	ok(auth_check(auth, token, strlen(token), NOW + 60, &claims, &why) == AUTH_EXPIRED, "it ends at its exp");
	free(token);
}

static void
test_refusals(void)
{
	const char *good = "{\"sub\":\"alice\",\"exp\":1800000060}";
	char	   *token = sign(secret, "HS256", "k1", good);
	char	   *cut;

	check(strdup(""), "bad", "no token");
	check(strdup("a.b.c"), "bad", "no JWT");
	check(strdup("...."), "bad", "dots");
	check(sign(other, "HS256", "k1", good), "bad", "signed with another key");
	check(sign(secret, "HS384", "k1", good), "bad", "another algorithm of the same family");
	check(sign(secret, "HS256", NULL, good), "bad", "no kid");
	check(sign(secret, "HS256", "k9", good), "unknown key", "a kid that is not known");
	/* {"alg":"none","kid":"k1"} */
	check(with_header("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ", token), "bad", "alg none");
	/* {"alg":"RS256","kid":"k1"} */
	check(with_header("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0", token), "bad", "alg of another key type");
	cut = strdup(token);
	*strrchr(cut, '.') = '\0';
	check(cut, "bad", "the signature cut off");
	cut = strdup(token);
	cut[strlen(cut) - 5] ^= 1;
	check(cut, "bad", "a bit of the signature turned");
	cut = malloc(AUTH_TOKEN_MAX + 2);
	memset(cut, 'a', AUTH_TOKEN_MAX + 1);
	cut[AUTH_TOKEN_MAX + 1] = '\0';
	check(cut, "bad", "beyond the bound");
	free(token);

	check_payload("{\"sub\":\"alice\"}", "bad", "no exp");
	check_payload("{\"exp\":\"1800000060\"}", "bad", "exp that is a string");
	check_payload("{\"exp\":1e300}", "bad", "exp beyond bounds");
	check_payload("{\"exp\":1800000060.5}", "ok", "exp with a fraction, and no sub");
	check_payload("{\"exp\":1799999999}", "expired", "exp in the past");
	check_payload("{\"exp\":1800000060,\"nbf\":1800000050}", "bad", "nbf in the future");
	check_payload("{\"exp\":1800000060,\"nbf\":1800000003}", "ok", "nbf within the clocks' leeway");
	check_payload("{\"exp\":1800000060,\"nbf\":\"x\"}", "bad", "nbf that is no number");
	check_payload("{\"exp\":1800000060,\"sub\":7}", "bad", "sub that is a number");
	check_payload("{\"exp\":1800000060,\"sub\":\"a\",\"sub\":\"b\"}", "bad", "a claim twice");
	check_payload("[1800000060]", "bad", "no object");
	check_payload("{\"exp\":1800000060,\"aud\":\"elsewhere\"}", "ok", "aud is not looked at unless it is demanded");
}

static void
test_audience(void)
{
	auth_free(auth);
	auth = auth_create(intern, "bridge");
	auth_keys_begin(auth);
	(void) auth_keys_add(auth, "k1", "HS256", secret);
	auth_keys_end(auth);
	check_payload("{\"exp\":1800000060,\"aud\":\"bridge\"}", "ok", "aud that was demanded");
	check_payload("{\"exp\":1800000060,\"aud\":[\"x\",\"bridge\"]}", "ok", "among others");
	check_payload("{\"exp\":1800000060,\"aud\":[\"x\"]}", "bad", "another aud");
	check_payload("{\"exp\":1800000060}", "bad", "no aud");
}

/* Keys of other types come the same way. */
static void
test_public_keys(void)
{
	cjose_err	err;
	cjose_jwk_t *ec = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err);
	cjose_jwk_t *rsa = cjose_jwk_create_RSA_random(2048, (const uint8_t *) "\x01\x00\x01", 3, &err);
	char	   *ec_private = cjose_jwk_to_json(ec, true, &err);
	char	   *ec_public = cjose_jwk_to_json(ec, false, &err);
	char	   *rsa_private = cjose_jwk_to_json(rsa, true, &err);
	char	   *rsa_public = cjose_jwk_to_json(rsa, false, &err);
	const char *good = "{\"sub\":\"alice\",\"exp\":1800000060,\"aud\":\"bridge\"}";

	auth_keys_begin(auth);
	ok(auth_keys_add(auth, "e", "ES256", ec_public), "a public key of an elliptic curve");
	ok(auth_keys_add(auth, "r", "RS256", rsa_public), "a public RSA key");
	auth_keys_end(auth);
	check(sign(ec_private, "ES256", "e", good), "ok", "ES256");
	check(sign(rsa_private, "RS256", "r", good), "ok", "RS256");
	check(sign(secret, "HS256", "r", good), "bad", "a shared secret in place of a public key");
	check(sign(secret, "HS256", "k1", good), "unknown key", "a key that is no longer told of is gone");
	cjose_get_dealloc() (ec_private);
	cjose_get_dealloc() (ec_public);
	cjose_get_dealloc() (rsa_private);
	cjose_get_dealloc() (rsa_public);
	cjose_jwk_release(ec);
	cjose_jwk_release(rsa);
}

int
main(void)
{
	intern = intern_create();
	auth = auth_create(intern, "");
	test_keys();
	test_claims();
	test_refusals();
	test_audience();
	test_public_keys();
	auth_free(auth);
	intern_free(intern);
	return tap_done();
}
