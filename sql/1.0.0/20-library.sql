
-- ---------------------------------------------------------------------------
-- The library's functions
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_progress_increment(session_id bigint, amount bigint DEFAULT 1, field text DEFAULT 'processed', account_id bigint DEFAULT NULL)
RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_increment';
COMMENT ON FUNCTION sync_progress_increment IS 'Adds amount (within ±10^12; negative corrects) to a session''s field: processed, detected, error, total or a named counter; with account_id to that account as well. Takes no row lock and waits for nobody. Returns the session''s status, so that a worker learns of a pause or cancel. With sync_progress.mode = live it counts at once, whatever becomes of the transaction';

CREATE FUNCTION sync_progress_increment_many(session_id bigint, counts jsonb, account_id bigint DEFAULT NULL)
RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_increment_many';
COMMENT ON FUNCTION sync_progress_increment_many IS 'Adds to several fields at once: {"processed":100,"detected":7,"entities_encountered.Message":45}. Returns the session''s status';

CREATE FUNCTION sync_progress_set(session_id bigint, processed_count bigint DEFAULT NULL, total_count bigint DEFAULT NULL, message text DEFAULT NULL, account_id bigint DEFAULT NULL)
RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_set';
COMMENT ON FUNCTION sync_progress_set IS 'Sets absolute values (NULL: left as it is), for workers that know only how far they are. The latest call wins; increments called later add to it. Takes no row lock. Returns the session''s status';

CREATE FUNCTION sync_progress_report(session_id bigint, processed_count bigint, share bigint, total_count bigint, message text, reset boolean)
RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_report';
COMMENT ON FUNCTION sync_progress_report IS 'Internal: what a worker without a database connection reports; processed_count or share (of 10^8) raise what is processed and never lower it, but from zero with reset. Total and message of a report that others have overtaken are ignored. Takes no row lock. Returns the session''s status';

CREATE FUNCTION sync_progress_flush()
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_flush';
COMMENT ON FUNCTION sync_progress_flush IS 'Has the worker fold and tell everything that is committed by now, and waits until it has (at most 30 s). Sessions locked by others are not waited for';

CREATE FUNCTION sync_progress_disconnect(owner_id text, reconnect boolean DEFAULT true)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_disconnect';
COMMENT ON FUNCTION sync_progress_disconnect IS 'When this transaction commits, every bridge that listens disconnects whoever has come with a token of this owner; reconnect: whether the clients are asked to come back by themselves. A token stays valid until it expires: rotate or remove its key to keep somebody out';

CREATE FUNCTION sync_progress_attach(OUT worker_pid integer, OUT channel text, OUT heartbeat_interval_ms integer)
RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'sync_progress_attach';
COMMENT ON FUNCTION sync_progress_attach IS 'For bridges, right after LISTEN: starts the worker where there is none (worker_pid 0: not up yet), asks for heartbeats until this session ends';

CREATE FUNCTION sync_progress_due(session_ids bigint[])
RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_due';
COMMENT ON FUNCTION sync_progress_due IS 'Internal: somebody has begun to watch these sessions; what is not folded yet is folded and told now';

CREATE FUNCTION sync_progress_unfolded(only_session bigint DEFAULT NULL,
	OUT session_id bigint, OUT account_id bigint, OUT processed_count bigint, OUT total_count bigint,
	OUT detected_count bigint, OUT error_count bigint, OUT message text, OUT counters jsonb, OUT status text, OUT gone boolean, OUT begins boolean)
RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_unfolded';
COMMENT ON FUNCTION sync_progress_unfolded IS 'Internal: the counts of each session and account that the ledger holds something for, with that added, as the caller''s snapshot sees it; counters: only what is to be added; status and gone: what a tracked table says; begins: a pending run is one no more';

CREATE FUNCTION sync_progress_ending(session_ids bigint[])
RETURNS bigint[] LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_ending';
COMMENT ON FUNCTION sync_progress_ending IS 'Internal: those of these sessions whose runs have ended without having been folded since, as the caller''s snapshot sees it: their counts are not the last';

CREATE FUNCTION sync_progress_pace(pace bytea, processed_count bigint DEFAULT NULL, total_count bigint DEFAULT NULL,
	started_at timestamptz DEFAULT NULL, at timestamptz DEFAULT NULL, status text DEFAULT NULL, stall_after interval DEFAULT NULL,
	parts bytea[] DEFAULT NULL, parts_left bigint[] DEFAULT NULL, parts_open boolean[] DEFAULT NULL, folded_count bigint DEFAULT NULL,
	OUT rate double precision, OUT time_remaining bigint, OUT moved_at timestamptz,
	OUT eta_seconds bigint, OUT eta_low bigint, OUT eta_high bigint, OUT eta_state text)
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sync_progress_pace';
COMMENT ON FUNCTION sync_progress_pace IS 'Internal: what a session''s pace says at a time: items a second; seconds remaining by 0.7 x the rate of the last five minutes + 0.3 x the overall rate; when something was processed last; the better estimate with its range (parts: the paces of its accounts whose totals are known, what is left of each, and whether it is to be done; folded_count: where it is less than processed_count), and its state';

CREATE FUNCTION sync_progress_part_seconds(pace bytea, left_count bigint, stall_after interval, at timestamptz)
RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'sync_progress_part_seconds';
COMMENT ON FUNCTION sync_progress_part_seconds IS 'Internal: seconds until an account of this pace has processed what is left; NULL when that is not known, or it has not moved for stall_after';

CREATE FUNCTION sync_progress_payloads(signature text, session_ids bigint[], deadline timestamptz DEFAULT NULL, OUT session_id bigint, OUT payload json)
RETURNS SETOF record LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_payloads';
COMMENT ON FUNCTION sync_progress_payloads IS 'Internal: calls a kind''s payload function as its owner, restricted; one row a session, or an error. It may take a third of the time up to the deadline, else SQLSTATE SP408';

CREATE FUNCTION sync_progress_authorized(signature text, session_id bigint, claims jsonb, deadline timestamptz DEFAULT NULL)
RETURNS boolean LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_progress_authorized';
COMMENT ON FUNCTION sync_progress_authorized IS 'Internal: calls a kind''s authorize function as its owner, restricted; NULL counts as false. It may take a third of the time up to the deadline, else SQLSTATE SP408';

CREATE FUNCTION sync_progress_sign(input text, key bytea)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'sync_progress_sign';
COMMENT ON FUNCTION sync_progress_sign IS 'Internal: HMAC-SHA-256 by the server''s own implementation';

CREATE FUNCTION sync_progress_random_key()
RETURNS bytea LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sync_progress_random_key';
COMMENT ON FUNCTION sync_progress_random_key IS 'Internal: 32 strong random bytes';

CREATE FUNCTION sync_progress_stat(OUT worker_pid integer, OUT worker_beat timestamptz, OUT attached integer,
	OUT folds bigint, OUT fold_ms double precision, OUT last_fold_ms double precision, OUT increments_folded bigint,
	OUT notifications bigint, OUT suppressed bigint, OUT discarded bigint, OUT backed_off bigint, OUT last_error text,
	OUT blocked_by integer, OUT sessions_tracked integer, OUT sessions_waiting integer, OUT max_sessions integer,
	OUT current_heap integer, OUT notify_p50_ms double precision, OUT notify_p95_ms double precision, OUT notify_p99_ms double precision,
	OUT stats_reset timestamptz, OUT live_counters integer, OUT max_live_counters integer, OUT live_fallbacks bigint,
	OUT eta_sessions bigint, OUT eta_estimates bigint, OUT eta_mape double precision, OUT eta_within_25 double precision, OUT eta_bias double precision)
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_stat';
COMMENT ON FUNCTION sync_progress_stat IS 'Internal: what the view pg_stat_sync_progress shows';

CREATE FUNCTION pg_stat_sync_progress_reset()
RETURNS void LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_stat_reset';
COMMENT ON FUNCTION pg_stat_sync_progress_reset IS 'Sets this database''s counters in pg_stat_sync_progress to zero';
