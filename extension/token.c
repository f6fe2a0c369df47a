/*
 * token.c
 *		The two things that signing tokens needs of the server's cryptography.
 *
 * What a token says is put together in SQL.
 */
#include "postgres.h"

#include "common/hmac.h"
#include "common/sha2.h"
#include "compat.h"
#include "fmgr.h"
#include "shared.h"

PG_FUNCTION_INFO_V1(sync_progress_sign);
PG_FUNCTION_INFO_V1(sync_progress_random_key);

#define KEY_BYTES	32			/* as long as the hash, RFC 7518 section 3.2 */

/* sync_progress_sign(input, key): HMAC-SHA-256 */
Datum
sync_progress_sign(PG_FUNCTION_ARGS)
{
	text	   *input = PG_GETARG_TEXT_PP(0);
	bytea	   *key = PG_GETARG_BYTEA_PP(1);
	bytea	   *result = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);

	sp_shared_require();
	if (VARSIZE_ANY_EXHDR(key) < KEY_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the key is shorter than %d bytes", KEY_BYTES),
				 errhint("HS256 needs a key as long as its hash.")));
	SET_VARSIZE(result, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	if (hmac == NULL ||
		pg_hmac_init(hmac, (uint8 *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)) < 0 ||
		pg_hmac_update(hmac, (uint8 *) VARDATA_ANY(input), VARSIZE_ANY_EXHDR(input)) < 0 ||
		pg_hmac_final(hmac, (uint8 *) VARDATA(result), PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute HMAC");
	pg_hmac_free(hmac);
	PG_RETURN_BYTEA_P(result);
}

Datum
sync_progress_random_key(PG_FUNCTION_ARGS)
{
	bytea	   *result = palloc(VARHDRSZ + KEY_BYTES);

	SET_VARSIZE(result, VARHDRSZ + KEY_BYTES);
	if (!pg_strong_random(VARDATA(result), KEY_BYTES))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	PG_RETURN_BYTEA_P(result);
}
