/*
 * test_auth.c
 *		A token is worth what its key, its algorithm and its times say.
 */
#include <cjose/cjose.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "unit.h"

#define NOW 1800000000

static struct intern *intern;
static struct auth *auth;

static const char *const secret =
"{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";
static const char *const other =
"{\"kty\":\"oct\",\"k\":\"HxECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";

/* Of 48 bytes: newer libcjose neither signs nor checks with less than the algorithm's hash has. */
static const char *const longer =
"{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\"}";
static const char *const good = "{\"sub\":\"alice\",\"exp\":1800000060}";

/* "k1" is the only key. */
static void
know_the_secret(void)
{
	auth_keys_begin(auth);
	assert_true(auth_keys_add(auth, "k1", "HS256", secret));
	auth_keys_end(auth);
}

static int
begin_without_keys(void **state)
{
	intern = intern_create();
	auth = auth_create(intern, "");
	return 0;
}

static int
begin(void **state)
{
	begin_without_keys(state);
	know_the_secret();
	return 0;
}

static int
begin_with_audience(void **state)
{
	intern = intern_create();
	auth = auth_create(intern, "bridge");
	know_the_secret();
	return 0;
}

static int
end(void **state)
{
	auth_free(auth);
	intern_free(intern);
	return 0;
}

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
	assert_non_null(jws);
	cjose_jws_export(jws, &text, &err);
	copy = strdup(text);
	cjose_jws_release(jws);
	cjose_header_release(header);
	cjose_jwk_release(key);
	return copy;
}

/* What is said of this token, which is freed. */
static const char *
verdict(char *token)
{
	static const char *const names[] = {"ok", "bad", "expired", "unknown key"};
	struct auth_claims claims;
	const char *why;
	enum auth_result result = auth_check(auth, token, strlen(token), NOW, &claims, &why);

	auth_claims_drop(&claims);
	free(token);
	return names[result];
}

static const char *
verdict_on(const char *payload)
{
	return verdict(sign(secret, "HS256", "k1", payload));
}

static char *
with_header(const char *header64, char *rest_of)
{
	char	   *token = malloc(strlen(header64) + strlen(rest_of) + 1);

	strcpy(token, header64);
	strcat(token, strchr(rest_of, '.'));
	free(rest_of);
	return token;
}

static void
a_secret_of_32_bytes_or_more_is_a_key(void **state)
{
	auth_keys_begin(auth);
	assert_true(auth_keys_add(auth, "k1", "HS256", secret));
	assert_false(auth_keys_add(auth, "k2", "HS256", "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}"));
	assert_false(auth_keys_add(auth, "k3", "HS256", "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg\"}"));
	auth_keys_end(auth);
}

static void
a_key_is_for_an_algorithm_of_its_type(void **state)
{
	auth_keys_begin(auth);
	assert_false(auth_keys_add(auth, "k3", "RS256", secret));
	assert_false(auth_keys_add(auth, "k4", "none", secret));
	auth_keys_end(auth);
}

static void
what_is_no_jwk_is_no_key(void **state)
{
	auth_keys_begin(auth);
	assert_false(auth_keys_add(auth, "k5", "HS256", "nonsense"));
	auth_keys_end(auth);
}

static void
new_keys_count_when_all_were_told(void **state)
{
	auth_keys_begin(auth);
	assert_true(auth_keys_add(auth, "k1", "HS256", secret));
	assert_false(auth_keys_add(auth, "k5", "HS256", "nonsense"));
	assert_int_equal(auth_keys_count(auth), 0);
	auth_keys_end(auth);
	assert_int_equal(auth_keys_count(auth), 1);
}

static void
a_key_that_is_no_longer_told_of_is_gone(void **state)
{
	auth_keys_begin(auth);
	assert_true(auth_keys_add(auth, "k2", "HS256", other));
	assert_string_equal(verdict_on(good), "ok");
	auth_keys_end(auth);
	assert_string_equal(verdict_on(good), "unknown key");
	assert_string_equal(verdict(sign(other, "HS256", "k2", good)), "ok");
}

static void
a_good_token_says_who_and_until_when(void **state)
{
	const char *payload = "{\"sub\":\"alice\",\"exp\":1800000060,\"sessions\":[42]}";
	char	   *token = sign(secret, "HS256", "k1", payload);
	struct auth_claims claims;
	const char *why;

	assert_int_equal(auth_check(auth, token, strlen(token), NOW, &claims, &why), AUTH_OK);
	assert_null(why);
	assert_string_equal(claims.payload->bytes, payload);
	assert_string_equal(claims.subject->bytes, "alice");
	assert_int_equal(claims.expires_at, 1800000060);
	auth_claims_drop(&claims);
	free(token);
}

static void
the_same_claims_are_one_object(void **state)
{
	char	   *token = sign(secret, "HS256", "k1", good);
	struct auth_claims claims;
	struct auth_claims again;
	const char *why;

	assert_int_equal(auth_check(auth, token, strlen(token), NOW, &claims, &why), AUTH_OK);
	assert_int_equal(auth_check(auth, token, strlen(token), NOW, &again, &why), AUTH_OK);
	assert_ptr_equal(again.payload, claims.payload);
	auth_claims_drop(&again);
	auth_claims_drop(&claims);
	free(token);
}

static void
a_token_ends_at_its_exp(void **state)
{
	char	   *token = sign(secret, "HS256", "k1", good);
	struct auth_claims claims;
	const char *why;

	assert_int_equal(auth_check(auth, token, strlen(token), NOW + 59, &claims, &why), AUTH_OK);
	auth_claims_drop(&claims);
	assert_int_equal(auth_check(auth, token, strlen(token), NOW + 60, &claims, &why), AUTH_EXPIRED);
	auth_claims_drop(&claims);
	free(token);
}

static void
what_is_no_token_is_refused(void **state)
{
	assert_string_equal(verdict(strdup("")), "bad");
	assert_string_equal(verdict(strdup("a.b.c")), "bad");
	assert_string_equal(verdict(strdup("....")), "bad");
}

static void
a_token_of_another_key_is_refused(void **state)
{
	assert_string_equal(verdict(sign(other, "HS256", "k1", good)), "bad");
	assert_string_equal(verdict(sign(secret, "HS256", NULL, good)), "bad");
	assert_string_equal(verdict(sign(secret, "HS256", "k9", good)), "unknown key");
}

static void
a_token_of_another_algorithm_is_refused(void **state)
{
	auth_keys_begin(auth);
	assert_true(auth_keys_add(auth, "k1", "HS256", longer));
	auth_keys_end(auth);
	assert_string_equal(verdict(sign(longer, "HS256", "k1", good)), "ok");
	assert_string_equal(verdict(sign(longer, "HS384", "k1", good)), "bad");
	/* {"alg":"none","kid":"k1"} */
	assert_string_equal(verdict(with_header("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ", sign(secret, "HS256", "k1", good))), "bad");
	/* {"alg":"RS256","kid":"k1"} */
	assert_string_equal(verdict(with_header("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0", sign(secret, "HS256", "k1", good))), "bad");
}

static void
a_token_without_its_whole_signature_is_refused(void **state)
{
	char	   *cut = sign(secret, "HS256", "k1", good);

	*strrchr(cut, '.') = '\0';
	assert_string_equal(verdict(cut), "bad");
	cut = sign(secret, "HS256", "k1", good);
	cut[strlen(cut) - 5] ^= 1;
	assert_string_equal(verdict(cut), "bad");
}

/* libcjose ends the program for some of these. */
static void
what_is_no_base64_is_refused(void **state)
{
	static const char *const parts[][3] = {
		{"A", "", ""}, {"AA", "", ""}, {"AAA", "", ""}, {"", "A", ""}, {"", "AA", ""},
		{"", "AAA", ""}, {"", "", "A"}, {"", "", "AA"}, {"", "", "AAA"},
		{"=", "", ""}, {"", "A=", ""}, {"", "AA=A", ""}, {"", "", "AAA="},
		{"AA\n", "", ""}, {"", "+/", ""}, {"", "", "A A"}, {"", "", ".AAAA"},
	};
	char		token[2048];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		char	   *sound = sign(secret, "HS256", "k1", good);
		char	   *claims = strchr(sound, '.') + 1;
		char	   *signature = strchr(claims, '.') + 1;

		claims[-1] = signature[-1] = '\0';
		snprintf(token, sizeof(token), "%s%s.%s%s.%s%s", sound, parts[i][0], claims, parts[i][1],
				 signature, parts[i][2]);
		free(sound);
		assert_string_equal(verdict(strdup(token)), "bad");
	}
}

/* libcjose looks at no more of it than it should have, and at no less. */
static void
a_signature_has_its_length(void **state)
{
	char		token[2048];

	for (int cut = 0; cut <= 43; cut++)
	{
		char	   *sound = sign(secret, "HS256", "k1", good);

		snprintf(token, sizeof(token), "%s", sound);
		token[strlen(token) - (size_t) cut] = '\0';
		free(sound);
		assert_string_equal(verdict(strdup(token)), cut == 0 ? "ok" : "bad");
	}
	for (int more = 1; more < 8; more++)
	{
		char	   *sound = sign(secret, "HS256", "k1", good);

		snprintf(token, sizeof(token), "%s%.*s", sound, more, "AAAAAAAA");
		free(sound);
		assert_string_equal(verdict(strdup(token)), "bad");
	}
}

static void
a_key_whose_numbers_are_no_base64_is_no_key(void **state)
{
	auth_keys_begin(auth);
	assert_false(auth_keys_add(auth, "k", "HS256", "{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AA\"}"));
	assert_false(auth_keys_add(auth, "k", "RS256", "{\"kty\":\"RSA\",\"e\":\"AQABA\",\"n\":\"AAAA\"}"));
	assert_false(auth_keys_add(auth, "k", "ES256", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"A\",\"y\":\"A\"}"));
	auth_keys_end(auth);
}

static void
a_token_beyond_the_bound_is_refused(void **state)
{
	char	   *token = malloc(AUTH_TOKEN_MAX + 2);
	char		payload[AUTH_TOKEN_MAX];

	memset(token, 'a', AUTH_TOKEN_MAX + 1);
	token[AUTH_TOKEN_MAX + 1] = '\0';
	assert_string_equal(verdict(token), "bad");

	/* One that is good but for its length */
	snprintf(payload, sizeof(payload), "{\"exp\":1800000060,\"pad\":\"%0*d\"}", 3500, 0);
	assert_string_equal(verdict_on(payload), "bad");
	snprintf(payload, sizeof(payload), "{\"exp\":1800000060,\"pad\":\"%0*d\"}", 2500, 0);
	assert_string_equal(verdict_on(payload), "ok");
}

static void
exp_must_be_a_time_to_come(void **state)
{
	assert_string_equal(verdict_on("{\"sub\":\"alice\"}"), "bad");
	assert_string_equal(verdict_on("{\"exp\":\"1800000060\"}"), "bad");
	assert_string_equal(verdict_on("{\"exp\":1e300}"), "bad");
	assert_string_equal(verdict_on("{\"exp\":1799999999}"), "expired");
}

static void
exp_may_have_a_fraction_and_sub_may_be_left_out(void **state)
{
	assert_string_equal(verdict_on("{\"exp\":1800000060.5}"), "ok");
}

static void
nbf_must_be_past_but_for_the_clocks_leeway(void **state)
{
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"nbf\":1800000050}"), "bad");
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"nbf\":1800000003}"), "ok");
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"nbf\":\"x\"}"), "bad");
}

static void
claims_are_an_object_of_the_right_types_each_once(void **state)
{
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"sub\":7}"), "bad");
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"sub\":\"a\",\"sub\":\"b\"}"), "bad");
	assert_string_equal(verdict_on("[1800000060]"), "bad");
}

static void
aud_is_not_looked_at_unless_it_is_demanded(void **state)
{
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"aud\":\"elsewhere\"}"), "ok");
}

static void
aud_must_name_this_where_it_is_demanded(void **state)
{
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"aud\":\"bridge\"}"), "ok");
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"aud\":[\"x\",\"bridge\"]}"), "ok");
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"aud\":[\"x\"]}"), "bad");
	assert_string_equal(verdict_on("{\"exp\":1800000060,\"aud\":\"x\"}"), "bad");
	assert_string_equal(verdict_on("{\"exp\":1800000060}"), "bad");
}

static void
keys_of_other_types_come_the_same_way(void **state)
{
	const char *payload = "{\"sub\":\"alice\",\"exp\":1800000060,\"aud\":\"bridge\"}";
	cjose_err	err;
	cjose_jwk_t *ec = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err);
	cjose_jwk_t *rsa = cjose_jwk_create_RSA_random(2048, (const uint8_t *) "\x01\x00\x01", 3, &err);
	char	   *ec_private = cjose_jwk_to_json(ec, true, &err);
	char	   *ec_public = cjose_jwk_to_json(ec, false, &err);
	char	   *rsa_private = cjose_jwk_to_json(rsa, true, &err);
	char	   *rsa_public = cjose_jwk_to_json(rsa, false, &err);

	auth_keys_begin(auth);
	assert_true(auth_keys_add(auth, "e", "ES256", ec_public));
	assert_true(auth_keys_add(auth, "r", "RS256", rsa_public));
	auth_keys_end(auth);
	assert_string_equal(verdict(sign(ec_private, "ES256", "e", payload)), "ok");
	assert_string_equal(verdict(sign(rsa_private, "RS256", "r", payload)), "ok");
	/* A shared secret in place of a public key */
	assert_string_equal(verdict(sign(secret, "HS256", "r", payload)), "bad");
	assert_string_equal(verdict(sign(secret, "HS256", "k1", payload)), "unknown key");
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_secret_of_32_bytes_or_more_is_a_key, begin_without_keys, end),
		cmocka_unit_test_setup_teardown(a_key_is_for_an_algorithm_of_its_type, begin_without_keys, end),
		cmocka_unit_test_setup_teardown(what_is_no_jwk_is_no_key, begin_without_keys, end),
		cmocka_unit_test_setup_teardown(new_keys_count_when_all_were_told, begin_without_keys, end),
		cmocka_unit_test_setup_teardown(a_key_that_is_no_longer_told_of_is_gone, begin, end),
		cmocka_unit_test_setup_teardown(a_good_token_says_who_and_until_when, begin, end),
		cmocka_unit_test_setup_teardown(the_same_claims_are_one_object, begin, end),
		cmocka_unit_test_setup_teardown(a_token_ends_at_its_exp, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_token_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_token_of_another_key_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_token_of_another_algorithm_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_token_without_its_whole_signature_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_base64_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_signature_has_its_length, begin, end),
		cmocka_unit_test_setup_teardown(a_key_whose_numbers_are_no_base64_is_no_key, begin_without_keys, end),
		cmocka_unit_test_setup_teardown(a_token_beyond_the_bound_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(exp_must_be_a_time_to_come, begin, end),
		cmocka_unit_test_setup_teardown(exp_may_have_a_fraction_and_sub_may_be_left_out, begin, end),
		cmocka_unit_test_setup_teardown(nbf_must_be_past_but_for_the_clocks_leeway, begin, end),
		cmocka_unit_test_setup_teardown(claims_are_an_object_of_the_right_types_each_once, begin, end),
		cmocka_unit_test_setup_teardown(aud_is_not_looked_at_unless_it_is_demanded, begin, end),
		cmocka_unit_test_setup_teardown(aud_must_name_this_where_it_is_demanded, begin_with_audience, end),
		cmocka_unit_test_setup_teardown(keys_of_other_types_come_the_same_way, begin_with_audience, end),
	};

	return run_units(tests);
}
