
-- ---------------------------------------------------------------------------
-- Rights: what is new is whose the rest is
-- ---------------------------------------------------------------------------

DO $$
DECLARE
	owner text := (SELECT r.rolname FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner WHERE c.oid = '@extschema@.sync_sessions'::regclass);
BEGIN
	IF owner <> current_user THEN
		PERFORM @extschema@.sync_progress_set_owner(owner);
	END IF;
END
$$;
