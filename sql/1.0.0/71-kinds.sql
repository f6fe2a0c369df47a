
-- ---------------------------------------------------------------------------
-- Kinds of sync, and the functions that each names
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_kinds_check() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	payload oid;
	authorize_ oid;
BEGIN
	BEGIN
		payload := to_regprocedure(NEW.payload_function);
		authorize_ := to_regprocedure(NEW.authorize_function);
	EXCEPTION WHEN OTHERS THEN
		NULL;  -- not even a signature: refused below
	END;
	IF NEW.kind = 'owner' OR NEW.channel = 'SessionsChannel' THEN
		RAISE EXCEPTION '% is the extension''s own', CASE WHEN NEW.kind = 'owner' THEN 'kind "owner"' ELSE 'channel "SessionsChannel"' END
			USING ERRCODE = 'reserved_name', HINT = 'Through channel SessionsChannel, on streams owner:<owner_id>, go the events of lists. Choose another name.';
	ELSIF NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.oid = payload AND p.provolatile <> 'v' AND p.proretset
		AND p.proargtypes[0] = 'bigint[]'::regtype AND p.pronargs = 1
		AND (SELECT array_agg(a.name || ' ' || a.type::regtype ORDER BY a.n) FROM unnest(p.proargnames, p.proallargtypes, p.proargmodes)
			WITH ORDINALITY AS a (name, type, mode, n) WHERE a.mode IN ('t', 'o')) IN ('{session_id bigint,payload json}', '{session_id bigint,payload jsonb}'))
	THEN
		RAISE EXCEPTION 'payload_function "%" of kind "%" is not a fitting function', NEW.payload_function, NEW.kind USING ERRCODE = 'undefined_function',
			HINT = 'It is the schema-qualified signature of a STABLE function, e.g. app.payload(bigint[]), that returns TABLE(session_id bigint, payload json).';
	ELSIF NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.oid = authorize_ AND p.provolatile <> 'v' AND NOT p.proretset
		AND p.proargtypes[0] = 'bigint'::regtype AND p.proargtypes[1] = 'jsonb'::regtype AND p.pronargs = 2 AND p.prorettype = 'boolean'::regtype)
	THEN
		RAISE EXCEPTION 'authorize_function "%" of kind "%" is not a fitting function', NEW.authorize_function, NEW.kind USING ERRCODE = 'undefined_function',
			HINT = 'It is the schema-qualified signature of a STABLE function, e.g. app.may_watch(bigint, jsonb), that returns boolean.';
	END IF;
	-- a dump has the built-in kinds too: restoring it updates them
	IF TG_OP = 'INSERT' AND EXISTS (SELECT FROM sync_kinds AS k WHERE k.kind = NEW.kind AND NEW.kind IN ('sync', 'mesh', 'batch', 'connection')) THEN
		UPDATE sync_kinds AS k SET channel = NEW.channel, param = NEW.param, every_count = NEW.every_count, every_interval = NEW.every_interval,
			min_interval = NEW.min_interval, stall_after = NEW.stall_after, payload_function = NEW.payload_function, authorize_function = NEW.authorize_function
		WHERE k.kind = NEW.kind;
		RETURN NULL;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sync_kinds_check IS 'Internal: a kind''s functions exist and fit';
CREATE TRIGGER sync_check BEFORE INSERT OR UPDATE ON sync_kinds FOR EACH ROW EXECUTE FUNCTION sync_kinds_check();

INSERT INTO sync_kinds (kind, channel, param, payload_function, authorize_function)
SELECT kind, channel, param, '@extschema@.' || payload || '(bigint[])', '@extschema@.sync_may_watch(bigint,jsonb)'
FROM (VALUES
	('sync', 'SyncStatusChannel', 'session_id', 'sync_payload'),
	('mesh', 'MeshProgressChannel', 'mesh_id', 'sync_mesh_payload'),
	('batch', 'BatchProgressChannel', 'batch_id', 'sync_batch_payload'),
	('connection', 'ConnectionSyncChannel', 'connection_id', 'sync_connection_payload')) AS built_in (kind, channel, param, payload);
