-- Keys: rotation, keys of other issuers, and who may read them.  The signatures
-- themselves are checked by test/jose.
\ir include/helpers.psql
SELECT plan(90);

-- as other files' tests, which may run at the same time, have them
SELECT kid AS first FROM sync.sync_keys WHERE minting \gset
CREATE FUNCTION pg_temp.kid_of(token text) RETURNS text LANGUAGE sql AS $$
	SELECT convert_from(decode(rpad(translate(split_part(token, '.', 1), '-_', '+/'), (length(split_part(token, '.', 1)) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb ->> 'kid'
$$;
CREATE FUNCTION pg_temp.add(alg text, jwk text, kid text DEFAULT 'test-foreign') RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT sync.sync_progress_add_key(%L, %L, %L)', kid, alg, jwk)
$$;
-- so many bytes, each of that value, in base64url
CREATE FUNCTION pg_temp.bytes(count integer, value integer DEFAULT 195) RETURNS text LANGUAGE sql AS $$
	SELECT rtrim(translate(encode(decode(repeat(lpad(to_hex(value), 2, '0'), count), 'hex'), 'base64'), E'+/\n', '-_'), '=')
$$;

-- rotation
SELECT is(pg_temp.kid_of(sync.sync_progress_token('a')), :'first'::text, 'tokens are signed with the one key that mints');
SELECT sync.sync_progress_rotate_key() AS second \gset
SELECT isnt(:'second'::text, :'first'::text, 'rotating makes a new key');
SELECT is(pg_temp.kid_of(sync.sync_progress_token('a')), :'second'::text, 'that tokens are signed with from now on');
SELECT is(count(*), 2::bigint, 'the one before is still told to bridges') FROM sync.sync_progress_keys() WHERE kid IN (:'first'::text, :'second'::text);
SELECT ok(expires_at BETWEEN now() + '23 hours 59 minutes' AND now() + '24 hours 1 minute' AND NOT minting, 'for a day') FROM sync.sync_keys WHERE kid = :'first'::text;
SELECT ok(expires_at IS NULL AND minting AND own, 'the new one for good') FROM sync.sync_keys WHERE kid = :'second'::text;
SELECT sync.sync_progress_rotate_key('2 days') AS third \gset
SELECT is(format('%s %s', expires_at < now() + '25 hours', expires_at > now() + '23 hours'), 't t', 'a later rotation lets no older key live longer') FROM sync.sync_keys WHERE kid = :'first'::text;
SELECT is(count(*), 1::bigint, 'exactly one key mints') FROM sync.sync_keys WHERE minting;
BEGIN;
SELECT is(count(DISTINCT sync.sync_progress_rotate_key()), 5::bigint, 'kids are unique within a second, and within a transaction') FROM generate_series(1, 5);
SELECT is(count(*), 1::bigint, 'and still one mints') FROM sync.sync_keys WHERE minting;
ROLLBACK;
SELECT is(kid, :'third'::text, 'rolled back, a rotation has not been') FROM sync.sync_keys WHERE minting;
UPDATE sync.sync_keys SET expires_at = now() - interval '1 second' WHERE kid = :'first'::text;
SELECT is(count(*), 0::bigint, 'an expired key is told to nobody') FROM sync.sync_progress_keys() WHERE kid = :'first'::text;
SELECT sync.sync_progress_rotate_key('0') AS fourth \gset
SELECT is(array_agg(kid), ARRAY[:'fourth'::text], 'an overlap of zero ends all older own keys at once, and expired ones are gone') FROM sync.sync_keys WHERE own;
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_rotate_key(%L)', overlap), '22023', 'overlap', 'overlap ' || coalesce(overlap, 'NULL'))
FROM unnest('{NULL,-1 second,1 year 1 second}'::text[]) AS overlap;

-- keys of other issuers
SELECT lives_ok(pg_temp.add('HS256', format('{"kty":"oct","k":"%s","alg":"HS256","use":"sig","kid":"test-foreign","ext":true,"key_ops":["sign","verify"]}', pg_temp.bytes(32))), '[000-35] a shared secret can be added');
SELECT is(jwk, jsonb_build_object('kty', 'oct', 'k', pg_temp.bytes(32)), 'what is not needed to check with is not kept') FROM sync.sync_progress_keys() WHERE kid = 'test-foreign';
SELECT ok(NOT minting AND NOT own, 'it does not mint') FROM sync.sync_keys WHERE kid = 'test-foreign';
SELECT sync.sync_progress_rotate_key('0');
SELECT is(expires_at, NULL, 'and no rotation ends it') FROM sync.sync_keys WHERE kid = 'test-foreign';
SELECT pg_temp.refuses(pg_temp.add('HS256', format('{"kty":"oct","k":"%s"}', pg_temp.bytes(32))), '23505', 'test-foreign', 'a kid that is there already');
SELECT lives_ok($$SELECT sync.sync_progress_remove_key('test-foreign')$$, 'it can be removed');
SELECT is(count(*), 0::bigint, 'then it is not told any more') FROM sync.sync_progress_keys() WHERE kid = 'test-foreign';
SELECT pg_temp.refuses($$SELECT sync.sync_progress_remove_key('test-foreign')$$, 'P0002', 'test-foreign', 'removing what is not there');
SELECT pg_temp.refuses('SELECT sync.sync_progress_remove_key(NULL)', 'P0002', 'NULL', 'removing NULL');
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_remove_key(%L)', kid), '55000', 'signed', 'removing the key that mints') FROM sync.sync_keys WHERE minting;

-- what is accepted
SELECT lives_ok(pg_temp.add(alg, jwk, 'test-' || what), what)
FROM (VALUES
	('HS256', format('{"kty":"oct","k":"%s"}', pg_temp.bytes(512)), 'a long secret'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB","x5t":"abc"}', pg_temp.bytes(256)), 'RSA of 2048 bits'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"Aw"}', pg_temp.bytes(1024)), 'RSA of 8192 bits, e = 3'),
	('ES256', format('{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}', pg_temp.bytes(32), pg_temp.bytes(32)), 'EC P-256')) AS v (alg, jwk, what);
SELECT is(string_agg(jwk ->> 'kty' || (SELECT string_agg(k, '' ORDER BY k) FROM jsonb_object_keys(jwk) AS k), ',' ORDER BY kid), 'ECcrvktyxy,RSAektyn,RSAektyn,octkkty', 'with what checking needs')
FROM sync.sync_progress_keys() WHERE kid LIKE 'test-%';
DELETE FROM sync.sync_keys WHERE kid LIKE 'test-%';
SELECT lives_ok($$SELECT sync.sync_progress_add_key('test-soon', 'HS256', jsonb_build_object('kty', 'oct', 'k', pg_temp.bytes(32)), now() + interval '1 hour')$$, 'a key may expire');
SELECT is(count(*), 1::bigint, 'until then it is told') FROM sync.sync_progress_keys() WHERE kid = 'test-soon';
DELETE FROM sync.sync_keys WHERE kid = 'test-soon';

-- what is refused
SELECT pg_temp.refuses(pg_temp.add(alg, jwk), '22023', pattern, '[000-35] refused: ' || what)
FROM (SELECT pg_temp.bytes(32) AS b32, pg_temp.bytes(31) AS b31, pg_temp.bytes(256) AS b256) AS b CROSS JOIN LATERAL (VALUES
	('none', '{"kty":"oct","k":""}', 'unknown algorithm "none"', 'the algorithm none'),
	('HS512', format('{"kty":"oct","k":"%s"}', b32), 'HS512', 'HS512'),
	('hs256', format('{"kty":"oct","k":"%s"}', b32), 'hs256', 'hs256 in small letters'),
	('PS256', format('{"kty":"RSA","n":"%s","e":"AQAB"}', b256), 'PS256', 'PS256'),
	(NULL, format('{"kty":"oct","k":"%s"}', b32), 'NULL', 'no algorithm'),
	('HS256', NULL, 'object', 'no key'),
	('HS256', '[]', 'object', 'an array'),
	('HS256', '"secret"', 'object', 'a string'),
	('HS256', '{"keys":[]}', 'type', 'a set of keys'),
	('HS256', '{}', 'type', 'no kty'),
	('HS256', format('{"kty":"RSA","n":"%s","e":"AQAB"}', b256), 'type "RSA" is not for HS256', 'a public key as a shared secret'),
	('RS256', format('{"kty":"oct","k":"%s"}', b256), 'type "oct" is not for RS256', 'a secret as a public key'),
	('ES256', format('{"kty":"OKP","crv":"Ed25519","x":"%s"}', b32), 'type', 'Ed25519'),
	('HS256', format('{"kty":"oct","k":"%s"}', b31), '32', 'a secret of 31 bytes'),
	('HS256', format('{"kty":"oct","k":"%s="}', b32), '"k"', 'padding'),
	('HS256', '{"kty":"oct"}', '"k"', 'no k'),
	('HS256', '{"kty":"oct","k":7}', '"k"', 'a k that is no string'),
	('HS256', '{"kty":"oct","k":"+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/"}', '"k"', 'base64 that is not base64url'),
	('HS256', format('{"kty":"oct","k":"%s","alg":"HS384"}', b32), 'HS384', 'a key that says it is for another algorithm'),
	('HS256', format('{"kty":"oct","k":"%s","use":"enc"}', b32), 'use', 'a key to encrypt with'),
	('HS256', format('{"kty":"oct","k":"%s","key_ops":["sign"]}', b32), 'key_ops', 'a key that is not to verify with'),
	('HS256', format('{"kty":"oct","k":"%s","kid":"another"}', b32), 'kid', 'a key of another kid'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB"}', pg_temp.bytes(255)), '2048', 'RSA of 2040 bits'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB"}', pg_temp.bytes(256, 127)), '2048', 'RSA of 2047 bits'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB"}', pg_temp.bytes(1025)), '8192', 'RSA of 8200 bits'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB"}', pg_temp.bytes(256, 194)), 'odd', 'an even n'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQ"}', b256), 'more than 1', 'e = 1'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AAAB"}', b256), 'more than 1', 'e = 1, written long'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"BA"}', b256), 'odd', 'e = 4'),
	('RS256', format('{"kty":"RSA","n":"%s"}', b256), '"e"', 'no e'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB","d":"%s"}', b256, b256), 'private', 'a private RSA key'),
	('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB","p":"%s"}', b256, b32), 'private', 'a factor of n'),
	('ES256', format('{"kty":"EC","crv":"P-256","x":"%s","y":"%s","d":"%s"}', b32, b32, b32), 'private', 'a private EC key'),
	('ES256', format('{"kty":"EC","crv":"P-384","x":"%s","y":"%s"}', b32, b32), 'curve', 'another curve'),
	('ES256', format('{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}', b31, b32), '32 bytes', 'a short x'),
	('ES256', format('{"kty":"EC","crv":"P-256","x":"%s"}', b32), '"y"', 'no y')) AS v (alg, jwk, pattern, what);
SELECT pg_temp.refuses(pg_temp.add('HS256', format('{"kty":"oct","k":"%s"}', pg_temp.bytes(32)), kid), '22023', 'kid', 'refused: ' || what)
FROM (VALUES (NULL, 'no kid'), ('', 'an empty kid'), (repeat('é', 101), 'a kid of 202 bytes'), (E'a\nb', 'a kid of two lines')) AS v (kid, what);
SELECT pg_temp.refuses($$SELECT sync.sync_progress_add_key('test-past', 'HS256', jsonb_build_object('kty', 'oct', 'k', pg_temp.bytes(32)), now())$$, '22023', 'expires_at', 'refused: an expiry that is past');
SELECT is(count(*), 0::bigint, 'what was refused is not there') FROM sync.sync_keys WHERE NOT own AND kid ~ '^(test|$)';

-- an error says what is wrong, not the key
CREATE FUNCTION pg_temp.told(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text; detail text; hint text;
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN message || detail || hint;
END
$$;
SELECT ok(pg_temp.told(pg_temp.add('RS256', format('{"kty":"RSA","n":"%s","e":"AQAB","d":"%s"}', pg_temp.bytes(256), pg_temp.bytes(256, 7)))) !~ pg_temp.bytes(30, 7), 'a private key is not repeated');

-- not more than bridges take
SELECT sync.sync_progress_add_key('test-' || n, 'HS256', jsonb_build_object('kty', 'oct', 'k', pg_temp.bytes(32)))
FROM generate_series(1, 32 - (SELECT count(*)::integer FROM sync.sync_keys)) AS n;
SELECT is(count(*), 32::bigint, 'there may be 32 keys') FROM sync.sync_keys;
SELECT pg_temp.refuses(pg_temp.add('HS256', format('{"kty":"oct","k":"%s"}', pg_temp.bytes(32))), '54000', '32 keys', 'and no more');
SELECT pg_temp.refuses('SELECT sync.sync_progress_rotate_key()', '54000', '32 keys', 'by a rotation neither');
SELECT lives_ok($$SELECT sync.sync_progress_rotate_key('0')$$, 'but one that ends the key before is always possible');
UPDATE sync.sync_keys SET expires_at = now() WHERE kid = 'test-1';
SELECT lives_ok(pg_temp.add('HS256', format('{"kty":"oct","k":"%s"}', pg_temp.bytes(32))), 'an expired key makes room');
DELETE FROM sync.sync_keys WHERE kid LIKE 'test-%';

-- who may read them
DROP ROLE IF EXISTS sync_test_keys;
CREATE ROLE sync_test_keys;
GRANT USAGE ON SCHEMA sync TO sync_test_keys;
SET ROLE sync_test_keys;
SELECT throws_ok(statement, '42501', NULL, '[000-35] a plain role may not: ' || left(statement, 50))
FROM unnest(ARRAY['SELECT * FROM sync.sync_keys', 'SELECT * FROM sync.sync_progress_keys()', 'SELECT sync.sync_progress_rotate_key()',
	'SELECT sync.sync_progress_add_key(''x'', ''HS256'', ''{}'')', 'SELECT sync.sync_progress_remove_key(''x'')']) AS statement;
RESET ROLE;
GRANT EXECUTE ON FUNCTION sync.sync_progress_rotate_key, sync.sync_progress_add_key, sync.sync_progress_remove_key TO sync_test_keys;
SET ROLE sync_test_keys;
SELECT lives_ok('SELECT sync.sync_progress_rotate_key()', 'EXECUTE is enough to rotate');
SELECT lives_ok(pg_temp.add('HS256', format('{"kty":"oct","k":"%s"}', pg_temp.bytes(32))) , 'to add');
SELECT lives_ok($$SELECT sync.sync_progress_remove_key('test-foreign')$$, 'and to remove');
SELECT throws_ok('SELECT jwk FROM sync.sync_keys', '42501', NULL, 'but not to read a key');
RESET ROLE;
DROP OWNED BY sync_test_keys;
DROP ROLE sync_test_keys;

SELECT * FROM finish();
