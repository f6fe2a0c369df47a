-- Tokens: JWTs signed with HS256, checked here without the extension's own
-- functions: HMAC is computed from sha256() as RFC 2104 has it.
\ir include/helpers.psql
SELECT plan(45);

CREATE FUNCTION pg_temp.from_base64url(part text) RETURNS bytea LANGUAGE sql AS $$
	SELECT decode(rpad(translate(part, '-_', '+/'), (length(part) + 3) / 4 * 4, '='), 'base64')
$$;
CREATE FUNCTION pg_temp.xor_pad(key bytea, pad integer) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	block bytea := decode(repeat(lpad(to_hex(pad), 2, '0'), 64), 'hex');
BEGIN
	FOR i IN 0..length(key) - 1 LOOP
		block := set_byte(block, i, get_byte(key, i) # pad);
	END LOOP;
	RETURN block;
END
$$;
CREATE FUNCTION pg_temp.hmac_sha256(data bytea, key bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256(pg_temp.xor_pad(key, 92) || sha256(pg_temp.xor_pad(key, 54) || data))
$$;
-- RFC 4231, test case 2
SELECT is(encode(pg_temp.hmac_sha256('what do ya want for nothing?', 'Jefe'), 'hex'),
	'5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'the check itself is right (RFC 4231)');

SELECT floor(extract(epoch FROM clock_timestamp())) AS before \gset
SELECT sync.sync_progress_token('alice') AS token \gset
SELECT ceil(extract(epoch FROM clock_timestamp())) AS after \gset
SELECT matches(:'token'::text, '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$', 'a token has three parts in base64url, without padding');
SELECT convert_from(pg_temp.from_base64url(split_part(:'token', '.', 1)), 'UTF8') AS header,
	convert_from(pg_temp.from_base64url(split_part(:'token', '.', 2)), 'UTF8') AS claims \gset
SELECT is(:'header'::jsonb ->> 'alg', 'HS256', 'its header names the algorithm');
SELECT is((SELECT count(*) FROM sync.sync_progress_keys() WHERE kid = :'header'::jsonb ->> 'kid'), 1::bigint, 'and a key that bridges are given');
SELECT is(:'claims'::jsonb ->> 'sub', 'alice', 'sub is the owner');
SELECT is(:'claims'::jsonb -> 'scope', '["read"]', 'scope defaults to read');
SELECT ok(NOT :'claims'::jsonb ? 'sessions', 'no sessions: all of the owner''s');
SELECT ok((:'claims'::jsonb ->> 'iat')::bigint BETWEEN :before AND :after, 'iat is now');
SELECT is((:'claims'::jsonb ->> 'exp')::bigint - (:'claims'::jsonb ->> 'iat')::bigint, 3600::bigint, 'it ends in an hour');
SELECT matches(:'claims'::text, '"(iat|exp)": [0-9]{10}[,}].*"(iat|exp)": [0-9]{10}[,}]', 'both in whole seconds (RFC 7519)');
SELECT ok(NOT :'claims'::jsonb ? 'aud', 'for no audience in particular');
SELECT is(encode(pg_temp.from_base64url(split_part(:'token', '.', 3)), 'hex'), encode(pg_temp.hmac_sha256(
		convert_to(split_part(:'token', '.', 1) || '.' || split_part(:'token', '.', 2), 'UTF8'), pg_temp.from_base64url(jwk ->> 'k')), 'hex'),
	'the signature is the HMAC-SHA-256 of header and claims under that key')
FROM sync.sync_progress_keys() WHERE kid = :'header'::jsonb ->> 'kid';

SELECT convert_from(pg_temp.from_base64url(split_part(sync.sync_progress_token('bob', '{4,7}', '5 minutes', '{read,control}'), '.', 2)), 'UTF8') AS claims \gset
SELECT is(:'claims'::jsonb -> 'sessions', '[4, 7]', 'sessions are named as numbers');
SELECT is(:'claims'::jsonb -> 'scope', '["read", "control"]', 'scopes in their order');
SELECT is((:'claims'::jsonb ->> 'exp')::bigint - (:'claims'::jsonb ->> 'iat')::bigint, 300::bigint, '[003-15] ttl is respected');
SELECT sync.sync_progress_token(E'Žofie "ž" \\ \n', ttl => '1 year') AS token \gset
SELECT is(convert_from(pg_temp.from_base64url(split_part(:'token', '.', 2)), 'UTF8')::jsonb ->> 'sub', E'Žofie "ž" \\ \n', '[003-15] a token may live as long as a sync; any owner id survives');
SELECT is(encode(pg_temp.from_base64url(split_part(:'token', '.', 3)), 'hex'), encode(pg_temp.hmac_sha256(
		convert_to(split_part(:'token', '.', 1) || '.' || split_part(:'token', '.', 2), 'UTF8'), pg_temp.from_base64url(jwk ->> 'k')), 'hex'),
	'with a right signature')
FROM sync.sync_progress_keys() WHERE kid = convert_from(pg_temp.from_base64url(split_part(:'token', '.', 1)), 'UTF8')::jsonb ->> 'kid';

-- for a worker
SELECT sync.sync_session_start('token') AS session \gset
SELECT job_id AS job FROM sync.sync_sessions WHERE id = :session \gset
SELECT sync.sync_progress_callback_token(:'job') AS token \gset
SELECT convert_from(pg_temp.from_base64url(split_part(:'token', '.', 2)), 'UTF8') AS claims \gset
SELECT is(:'claims'::jsonb - '{iat,exp}'::text[], jsonb_build_object('aud', 'callback', 'job_id', :'job'::text), '[002-14] a callback token names its job, and nobody that watches');
SELECT is((:'claims'::jsonb ->> 'exp')::bigint - (:'claims'::jsonb ->> 'iat')::bigint, 3600::bigint, '[002-14] it ends in an hour');
SELECT is(encode(pg_temp.from_base64url(split_part(:'token', '.', 3)), 'hex'), encode(pg_temp.hmac_sha256(
		convert_to(split_part(:'token', '.', 1) || '.' || split_part(:'token', '.', 2), 'UTF8'), pg_temp.from_base64url(jwk ->> 'k')), 'hex'),
	'it is signed as well')
FROM sync.sync_progress_keys() WHERE kid = convert_from(pg_temp.from_base64url(split_part(:'token', '.', 1)), 'UTF8')::jsonb ->> 'kid';
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_callback_token(%L)', job), 'P0002', 'job', 'no token for job ' || coalesce(job, 'NULL'))
FROM unnest(ARRAY[NULL, '00000000-0000-0000-0000-000000000000']) AS job;
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_callback_token(%L, %L)', :'job', ttl), '22023', 'ttl', 'ttl ' || coalesce(ttl, 'NULL') || ' of a callback token')
FROM unnest('{0,-1 second,NULL,1 year 1 second}'::text[]) AS ttl;

-- keys
SELECT ok(count(*) >= 1, 'there is a key from the start') FROM sync.sync_progress_keys();
SELECT is(array_agg(DISTINCT alg), '{HS256}', 'for HS256') FROM sync.sync_keys WHERE own;
SELECT ok(bool_and(jwk ->> 'kty' = 'oct' AND length(pg_temp.from_base64url(jwk ->> 'k')) >= 32), 'a JWK of 32 bytes or more') FROM sync.sync_keys WHERE own;
SELECT is(octet_length(sync.sync_progress_random_key()), 32, 'new keys have 32 bytes');
SELECT isnt(sync.sync_progress_random_key(), sync.sync_progress_random_key(), 'that nobody can foresee');

-- refusals
SELECT pg_temp.refuses($$SELECT sync.sync_progress_token(NULL)$$, '22004', 'owner_id', 'no owner');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_token('')$$, '22004', 'owner_id', 'an empty owner');
SELECT pg_temp.refuses(format($$SELECT sync.sync_progress_token('a', ttl => %L)$$, ttl), '22023', 'ttl', 'ttl ' || coalesce(ttl, 'NULL'))
FROM unnest('{0,-1 second,NULL,1 year 1 second}'::text[]) AS ttl;
SELECT pg_temp.refuses(format($$SELECT sync.sync_progress_token('a', scope => %L)$$, scope), '22023', 'scope', 'scope ' || coalesce(scope, 'NULL'))
FROM unnest(ARRAY['{root}', '{read,root}', NULL, '{NULL}', '{Read}']) AS scope;
SELECT pg_temp.refuses($$SELECT sync.sync_progress_token('a', '{1,NULL}')$$, '22004', 'session id', 'a session that is NULL');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_token('a', array_fill(123456789, ARRAY[300])::bigint[])$$, '54000', 'characters', 'more sessions than bridges can read');
SELECT ok(length(sync.sync_progress_token('a', array_fill(123456789, ARRAY[250])::bigint[])) BETWEEN 2000 AND 4096, 'as many as they can are no error');

SELECT * FROM finish();
