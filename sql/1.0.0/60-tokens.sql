
-- ---------------------------------------------------------------------------
-- Tokens
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_base64url(data bytea)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=');
COMMENT ON FUNCTION sync_base64url IS 'Internal: base64url without padding (RFC 7515)';

CREATE FUNCTION sync_progress_mint(claims jsonb)
RETURNS text LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	signer sync_keys;
	input text;
BEGIN
	SELECT * INTO signer FROM sync_keys WHERE minting AND alg = 'HS256' ORDER BY created_at DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no key to sign tokens with' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Insert one into @extschema@.sync_keys, or drop and create the extension again.';
	END IF;
	input := sync_base64url(convert_to(jsonb_build_object('alg', 'HS256', 'typ', 'JWT', 'kid', signer.kid)::text, 'UTF8'))
		|| '.' || sync_base64url(convert_to(claims::text, 'UTF8'));
	RETURN input || '.' || sync_base64url(sync_progress_sign(input,
		decode(translate(signer.jwk ->> 'k', '-_', '+/') || repeat('=', (4 - length(signer.jwk ->> 'k') % 4) % 4), 'base64')));
END
$$;
COMMENT ON FUNCTION sync_progress_mint IS 'Internal: a signed JWT of these claims';

CREATE FUNCTION sync_progress_token(owner_id text, session_ids bigint[] DEFAULT NULL, ttl interval DEFAULT '1 hour', scope text[] DEFAULT '{read}')
RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
BEGIN
	IF owner_id IS NULL OR owner_id = '' THEN
		RAISE EXCEPTION 'owner_id must not be empty' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Pass the id of the user who will watch.';
	ELSIF ttl IS NULL OR ttl <= '0' OR ttl > '1 year' THEN
		RAISE EXCEPTION 'ttl must be more than zero and at most a year' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For instance ''1 hour''.';
	ELSIF scope IS NULL OR NOT scope <@ '{read,control,admin}' THEN
		RAISE EXCEPTION 'unknown scope in %', coalesce(scope::text, 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Scopes are read (watch), control (also pause, cancel, …) and admin (everybody''s sessions).';
	END IF;
	RETURN sync_progress_mint(jsonb_strip_nulls(jsonb_build_object('sub', owner_id, 'iat', floor(extract(epoch FROM clock_timestamp())),
		'exp', floor(extract(epoch FROM clock_timestamp() + ttl)), 'sessions', session_ids, 'scope', scope)));
END
$$;
COMMENT ON FUNCTION sync_progress_token IS 'A JWT (HS256) for one user: lets a browser watch that owner''s sessions (only session_ids, when given) for ttl, up to a year. Scopes: read, control, admin';

CREATE FUNCTION sync_progress_keys(OUT kid text, OUT alg text, OUT jwk jsonb)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS $$ SELECT kid, alg, jwk FROM sync_keys WHERE expires_at IS NULL OR expires_at > now() $$;
COMMENT ON FUNCTION sync_progress_keys IS 'For bridges: the keys that tokens may be signed with now';

INSERT INTO sync_keys (kid, alg, jwk, minting)
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS'), 'HS256',
	jsonb_build_object('kty', 'oct', 'k', sync_base64url(sync_progress_random_key())), true;
