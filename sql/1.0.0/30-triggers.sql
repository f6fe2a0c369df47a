
-- ---------------------------------------------------------------------------
-- Direct changes by application SQL are told too
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_sessions_stamp() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sessions_stamp';
COMMENT ON FUNCTION sync_sessions_stamp IS 'Internal: a changed row gets a newer version, and its times';
CREATE FUNCTION sync_sessions_touch() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sessions_touch';
COMMENT ON FUNCTION sync_sessions_touch IS 'Internal: leaves a touch in the ledger for every changed row, so that the worker tells it';

CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON sync_sessions
	FOR EACH ROW EXECUTE FUNCTION sync_sessions_stamp();
CREATE TRIGGER sync_touch_insert AFTER INSERT ON sync_sessions
	REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();
CREATE TRIGGER sync_touch_update AFTER UPDATE ON sync_sessions
	REFERENCING OLD TABLE AS gone NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();
CREATE TRIGGER sync_touch_delete AFTER DELETE ON sync_sessions
	REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();
CREATE TRIGGER sync_touch_truncate BEFORE TRUNCATE ON sync_sessions
	FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();

CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON sync_session_accounts
	FOR EACH ROW EXECUTE FUNCTION sync_sessions_stamp();
CREATE TRIGGER sync_touch_insert AFTER INSERT ON sync_session_accounts
	REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();
CREATE TRIGGER sync_touch_update AFTER UPDATE ON sync_session_accounts
	REFERENCING OLD TABLE AS gone NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();
CREATE TRIGGER sync_touch_delete AFTER DELETE ON sync_session_accounts
	REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();
CREATE TRIGGER sync_touch_truncate BEFORE TRUNCATE ON sync_session_accounts
	FOR EACH STATEMENT EXECUTE FUNCTION sync_sessions_touch();
