
-- ---------------------------------------------------------------------------
-- Keys
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_base64url(data bytea)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=');
COMMENT ON FUNCTION sync_base64url IS 'Internal: base64url without padding (RFC 7515)';

CREATE FUNCTION sync_from_base64url(data text)
RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN data ~ '^[A-Za-z0-9_-]*$' AND length(data) % 4 <> 1
	THEN decode(rpad(translate(data, '-_', '+/'), (length(data) + 3) / 4 * 4, '='), 'base64') END;
COMMENT ON FUNCTION sync_from_base64url IS 'Internal: likewise the other way; NULL for what is not base64url';

-- The members that checking needs, and no more: whatever else came with the
-- key is not kept.  Errors say what is wrong, and never repeat the key.
CREATE FUNCTION sync_jwk_checked(alg text, jwk jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	kty text := CASE alg WHEN 'HS256' THEN 'oct' WHEN 'RS256' THEN 'RSA' WHEN 'ES256' THEN 'EC' END;
	members text[] := CASE alg WHEN 'HS256' THEN '{k}' WHEN 'RS256' THEN '{n,e}' WHEN 'ES256' THEN '{x,y}' END::text[];
	bytes bytea[] := '{}';
	wrong text;
BEGIN
	IF kty IS NULL THEN
		RAISE EXCEPTION 'unknown algorithm "%"', coalesce(alg, 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Keys are for HS256, RS256 or ES256.';
	ELSIF jwk IS NULL OR jsonb_typeof(jwk) <> 'object' THEN
		RAISE EXCEPTION 'the key must be a JSON object' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'It is one JWK (RFC 7517), for instance {"kty":"RSA","n":"…","e":"AQAB"}; of a set, pass each of "keys" on its own.';
	ELSIF jwk ->> 'kty' IS DISTINCT FROM kty THEN
		RAISE EXCEPTION 'a key of type "%" is not for %', coalesce(jwk ->> 'kty', 'NULL'), alg USING ERRCODE = 'invalid_parameter_value',
			HINT = 'HS256 takes kty oct, RS256 takes RSA, ES256 takes EC.';
	ELSIF jwk ?| '{d,p,q,dp,dq,qi,oth}' THEN
		RAISE EXCEPTION 'the key is a private one' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Pass the public key only (without d, p, q, dp, dq, qi, oth), and consider the private one, which is in the statement, known to others.';
	END IF;
	FOR i IN 1..cardinality(members) LOOP
		IF jsonb_typeof(jwk -> members[i]) IS DISTINCT FROM 'string' OR coalesce(sync_from_base64url(jwk ->> members[i]), '') = '' THEN
			RAISE EXCEPTION 'the key''s "%" is missing or not base64url', members[i] USING ERRCODE = 'invalid_parameter_value',
				HINT = format('A key for %s has %s, each base64url without padding (RFC 7518, section 6).', alg, array_to_string(members, ' and '));
		END IF;
		bytes := bytes || sync_from_base64url(jwk ->> members[i]);
	END LOOP;
	wrong := CASE
		WHEN coalesce(jwk ->> 'alg', alg) <> alg THEN format('it says that it is for %s', jwk ->> 'alg')
		WHEN coalesce(jwk ->> 'use', 'sig') <> 'sig' THEN 'its use is not sig'
		WHEN jwk ? 'key_ops' AND NOT jwk -> 'key_ops' ? 'verify' THEN 'its key_ops do not have verify'
		WHEN alg = 'HS256' AND octet_length(bytes[1]) NOT BETWEEN 32 AND 512 THEN 'a secret has 32 to 512 bytes'
		WHEN alg = 'ES256' AND jwk ->> 'crv' IS DISTINCT FROM 'P-256' THEN 'its curve is not P-256'
		WHEN alg = 'ES256' AND (octet_length(bytes[1]) <> 32 OR octet_length(bytes[2]) <> 32) THEN 'its x and y must have 32 bytes each'
		WHEN alg = 'RS256' AND octet_length(ltrim(bytes[1], '\x00')) NOT BETWEEN 256 AND 1024
			OR alg = 'RS256' AND octet_length(ltrim(bytes[1], '\x00')) = 256 AND get_byte(ltrim(bytes[1], '\x00'), 0) < 128
			THEN 'its n must have 2048 to 8192 bits'
		-- an exponent of 1 signs everything with itself
		WHEN alg = 'RS256' AND (octet_length(bytes[2]) > 8 OR ltrim(bytes[2], '\x00') IN ('', '\x01')
			OR get_byte(bytes[2], octet_length(bytes[2]) - 1) % 2 = 0 OR get_byte(bytes[1], octet_length(bytes[1]) - 1) % 2 = 0)
			THEN 'its n and e must be odd, e more than 1 and at most 8 bytes'
		END;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'the key does not fit %: %', alg, wrong USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Pass the issuer''s JWK as it publishes it, with the algorithm that its tokens'' headers name.';
	END IF;
	RETURN jsonb_build_object('kty', kty) || CASE WHEN alg = 'ES256' THEN '{"crv":"P-256"}' ELSE '{}' END::jsonb
		|| (SELECT jsonb_object_agg(m, jwk ->> m) FROM unnest(members) AS m);
END
$$;
COMMENT ON FUNCTION sync_jwk_checked IS 'Internal: what is needed of a JWK to check signatures of this algorithm, or an error';

-- Keys are few, and changes of them rare: one at a time, so that there is
-- always exactly one to mint with, and never more than a bridge takes.
CREATE FUNCTION sync_keys_make_room()
RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
BEGIN
	DELETE FROM sync_keys WHERE expires_at <= clock_timestamp();
	IF (SELECT count(*) FROM sync_keys) >= 32 THEN
		RAISE EXCEPTION 'there are 32 keys already' USING ERRCODE = 'program_limit_exceeded',
			HINT = 'SELECT kid, alg, own, expires_at FROM @extschema@.sync_keys; lists them, sync_progress_remove_key() removes one; rotating with a shorter overlap ends own ones sooner.';
	END IF;
END
$$;
COMMENT ON FUNCTION sync_keys_make_room IS 'Internal: drops expired keys; an error when there is no room for another';

CREATE FUNCTION sync_progress_rotate_key(overlap interval DEFAULT '1 day')
RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	new_kid text := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS') || '-' || sync_base64url(substr(sync_progress_random_key(), 1, 6));
BEGIN
	IF overlap IS NULL OR overlap < '0' OR overlap > '1 year' THEN
		RAISE EXCEPTION 'overlap must be zero to a year' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Tokens signed with the present key are accepted for so long: make it at least their ttl, or zero when the key has become known.';
	END IF;
	LOCK TABLE sync_keys IN SHARE ROW EXCLUSIVE MODE;
	UPDATE sync_keys SET minting = false, expires_at = least(expires_at, clock_timestamp() + overlap) WHERE own;
	PERFORM sync_keys_make_room();
	INSERT INTO sync_keys (kid, alg, jwk, own, minting)
	VALUES (new_kid, 'HS256', jsonb_build_object('kty', 'oct', 'k', sync_base64url(sync_progress_random_key())), true, true);
	RETURN new_kid;
END
$$;
COMMENT ON FUNCTION sync_progress_rotate_key IS 'Makes a new key to sign tokens with, and returns its kid. Tokens signed with older own keys are accepted for overlap longer, however long their ttl was: give at least the ttl that you mint with. Zero ends them at once. Foreign keys stay';

CREATE FUNCTION sync_progress_add_key(kid text, alg text, jwk jsonb, expires_at timestamptz DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	checked jsonb := sync_jwk_checked(sync_progress_add_key.alg, sync_progress_add_key.jwk);
BEGIN
	IF sync_progress_add_key.kid IS NULL OR sync_progress_add_key.kid = '' OR octet_length(sync_progress_add_key.kid) > 200
		OR sync_progress_add_key.kid ~ '[[:cntrl:]]'
	THEN
		RAISE EXCEPTION 'kid must have 1 to 200 bytes, and no control characters' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'It is what the header of the issuer''s tokens has as "kid".';
	ELSIF coalesce(sync_progress_add_key.jwk ->> 'kid', sync_progress_add_key.kid) <> sync_progress_add_key.kid THEN
		RAISE EXCEPTION 'the key says that its kid is another' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Add it under the kid that it has: tokens name it by that.';
	ELSIF sync_progress_add_key.expires_at <= clock_timestamp() THEN
		RAISE EXCEPTION 'expires_at is past' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give a time to come, or leave it out for a key that stays until it is removed.';
	END IF;
	LOCK TABLE sync_keys IN SHARE ROW EXCLUSIVE MODE;
	PERFORM sync_keys_make_room();
	IF EXISTS (SELECT FROM sync_keys AS k WHERE k.kid = sync_progress_add_key.kid) THEN
		RAISE EXCEPTION 'there is a key "%" already', sync_progress_add_key.kid USING ERRCODE = 'unique_violation',
			HINT = 'Remove it first with sync_progress_remove_key(); tokens name keys by kid, so each must be another.';
	END IF;
	INSERT INTO sync_keys (kid, alg, jwk, expires_at)
	VALUES (sync_progress_add_key.kid, sync_progress_add_key.alg, checked, sync_progress_add_key.expires_at);
END
$$;
COMMENT ON FUNCTION sync_progress_add_key IS 'Accepts tokens that another issuer signs: its key as a JWK, for HS256 (a shared secret of 32 bytes or more), RS256 or ES256 (the public key), until expires_at. Who has the other half decides who may watch and control what';

CREATE FUNCTION sync_progress_remove_key(kid text)
RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
BEGIN
	LOCK TABLE sync_keys IN SHARE ROW EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM sync_keys AS k WHERE k.kid = sync_progress_remove_key.kid AND k.minting) THEN
		RAISE EXCEPTION 'tokens are signed with key "%"', sync_progress_remove_key.kid USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'SELECT @extschema@.sync_progress_rotate_key(''0''); puts a new one in its place, and ends it at once.';
	END IF;
	DELETE FROM sync_keys AS k WHERE k.kid = sync_progress_remove_key.kid;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no key "%"', coalesce(sync_progress_remove_key.kid, 'NULL') USING ERRCODE = 'no_data_found',
			HINT = 'SELECT kid, alg, own, expires_at FROM @extschema@.sync_keys; lists them.';
	END IF;
END
$$;
COMMENT ON FUNCTION sync_progress_remove_key IS 'Accepts no token any more that is signed with this key; bridges know within a minute';

CREATE FUNCTION sync_progress_keys(OUT kid text, OUT alg text, OUT jwk jsonb)
RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS $$ SELECT kid, alg, jwk FROM sync_keys WHERE expires_at IS NULL OR expires_at > now() $$;
COMMENT ON FUNCTION sync_progress_keys IS 'For bridges: the keys that tokens may be signed with now';

SELECT sync_progress_rotate_key();

-- ---------------------------------------------------------------------------
-- Tokens
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_progress_mint(claims jsonb, ttl interval)
RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	issued_at timestamptz := clock_timestamp();
	signer sync_keys;
	input text;
	token text;
BEGIN
	IF ttl IS NULL OR ttl <= '0' OR ttl > '1 year' THEN
		RAISE EXCEPTION 'ttl must be more than zero and at most a year' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For instance ''1 hour''.';
	END IF;
	SELECT * INTO signer FROM sync_keys WHERE minting AND alg = 'HS256' ORDER BY created_at DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no key to sign tokens with' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'SELECT @extschema@.sync_progress_rotate_key(); makes one.';
	END IF;
	input := sync_base64url(convert_to(jsonb_build_object('alg', 'HS256', 'typ', 'JWT', 'kid', signer.kid)::text, 'UTF8')) || '.'
		|| sync_base64url(convert_to((jsonb_strip_nulls(claims) || jsonb_build_object('iat', floor(extract(epoch FROM issued_at)),
			'exp', floor(extract(epoch FROM issued_at + ttl))))::text, 'UTF8'));
	token := input || '.' || sync_base64url(sync_progress_sign(input, sync_from_base64url(signer.jwk ->> 'k')));
	IF length(token) > 4096 THEN
		RAISE EXCEPTION 'the token would have % characters', length(token) USING ERRCODE = 'program_limit_exceeded',
			HINT = 'Bridges take 4096. Name fewer sessions, or none: then it is for all of the owner''s.';
	END IF;
	RETURN token;
END
$$;
COMMENT ON FUNCTION sync_progress_mint IS 'Internal: a signed JWT of these claims';

CREATE FUNCTION sync_progress_token(owner_id text, session_ids bigint[] DEFAULT NULL, ttl interval DEFAULT '1 hour', scope text[] DEFAULT '{read}')
RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
BEGIN
	IF owner_id IS NULL OR owner_id = '' THEN
		RAISE EXCEPTION 'owner_id must not be empty' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Pass the id of the user who will watch.';
	ELSIF array_position(session_ids, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'a session id must not be null' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Pass ids that sync_session_start returned, or no array at all for every session of the owner''s.';
	ELSIF scope IS NULL OR NOT scope <@ '{read,control,admin}' THEN
		RAISE EXCEPTION 'unknown scope in %', coalesce(scope::text, 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Scopes are read (watch), control (also pause, cancel, …) and admin (everybody''s sessions).';
	END IF;
	RETURN sync_progress_mint(jsonb_build_object('sub', owner_id, 'sessions', session_ids, 'scope', scope), ttl);
END
$$;
COMMENT ON FUNCTION sync_progress_token IS 'A JWT (HS256) for one user: lets a browser watch that owner''s sessions (only session_ids, when given) for ttl, up to a year, unless its key is rotated away before. Scopes: read, control, admin';

-- No sub: nobody's sessions are to be watched with it.
CREATE FUNCTION sync_progress_callback_token(job_id uuid, ttl interval DEFAULT '1 hour')
RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
BEGIN
	IF job_id IS NULL OR NOT EXISTS (SELECT FROM sync_sessions AS s WHERE s.job_id = sync_progress_callback_token.job_id) THEN
		RAISE EXCEPTION 'job % does not exist', coalesce(job_id::text, 'NULL') USING ERRCODE = 'no_data_found',
			HINT = 'SELECT job_id FROM @extschema@.sync_sessions WHERE id = …; is the id of the run that the worker does.';
	END IF;
	RETURN sync_progress_mint(jsonb_build_object('aud', 'callback', 'job_id', job_id), ttl);
END
$$;
COMMENT ON FUNCTION sync_progress_callback_token IS 'A JWT (HS256) for a worker without a database connection: lets it report the progress of this one run, for ttl, and do nothing else';
