# sync_progress_doctor(): each check seen to be wrong, with what is really broken,
# and in order again.  Where a limit is minutes or gigabytes, the function of its
# area is asked with a smaller one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('doctor', preload => 0, conf => "track_commit_timestamp = on\nmax_prepared_transactions = 5\nmax_worker_processes = 3\nwal_level = replica\nmax_wal_senders = 2\n");

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]); }

# A check's row as "ok|detail|what to do", ok being t, f or nothing.  $of: who is asked.
sub check
{
	my ($name, $of, $around) = @_;
	my $ask = 'SELECT ok, detail, what_to_do FROM sync.' . ($of // 'sync_progress_doctor()') . " WHERE check_name = '$name';";
	return sql($around ? "BEGIN; $around; $ask ROLLBACK;" : $ask);
}

# The same; true if it is so within some seconds.
sub becomes
{
	my ($pattern, $name, $of) = @_;
	my $last = '';
	return 1 if wait_until(sub { ($last = check($name, $of)) =~ $pattern }, "$name to be $pattern", 15);
	diag($last);
	return 0;
}

sub all_checks { return sql('SELECT string_agg(check_name, \',\' ORDER BY check_name) FROM sync.sync_progress_doctor()'); }
sub not_looked_at { return sql(q{SELECT check_name, detail FROM sync.sync_progress_doctor() WHERE detail LIKE 'could not be looked at%'}); }

# Not preloaded.
like(check('preload'), qr/^f\|sync_progress is not preloaded\|Add sync_progress to shared_preload_libraries/, 'not preloaded: it says so');
is(sql(q{SELECT count(*) FROM sync.sync_progress_doctor() WHERE check_name = 'preload'}), 1, 'in one row');
is(sql(q{SELECT string_agg(check_name, ',') FROM sync.sync_progress_doctor() WHERE NOT ok AND check_name !~ '^setting'}), 'preload', 'and nothing else is wrong');
is(not_looked_at(), '', 'the rest of it can be looked at');
like(check('setting_track_commit_timestamp'), qr/^\|.*does not need it/, 'what is not needed is said');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sync_progress'\ntrack_commit_timestamp = off\nsync_progress.max_sessions = 16\nsync_progress.max_live_counters = 16\n");
$node->reload;
ok(becomes(qr/^f\|.*has not been restarted since/, 'preload'), 'configured, and not restarted: it says so');
$node->restart;

# In order.
like(check('preload'), qr/^t\|/, 'preloaded');
wait_for_worker($node);
ok(becomes(qr/^t\|process \d+/, 'worker'), 'the worker is in order');
is(not_looked_at(), '', 'all can be looked at');
is(sql(q{SELECT string_agg(check_name, ',') FROM sync.sync_progress_doctor() WHERE NOT ok}), 'setting_fsync', 'nothing is wrong but what makes tests fast');
is(sql(q{SELECT count(*) FROM sync.sync_progress_doctor() WHERE (ok IS TRUE) <> (what_to_do IS NULL)}), 0, 'what is in order needs nothing to be done, and all else says what');
is(sql(q{SELECT count(*) - count(DISTINCT check_name) FROM sync.sync_progress_doctor()}), 0, 'a row per check');
is(sql(q{BEGIN TRANSACTION READ ONLY; SELECT count(*) > 20 FROM sync.sync_progress_doctor(); COMMIT}), 't', 'in a read-only transaction, too');
is(sql(q{BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) > 20 FROM sync.sync_progress_doctor(); COMMIT}), 't', 'and in a serializable one');
sql('CREATE ROLE watcher IN ROLE pg_monitor');
is(sql(q{SET ROLE watcher; SELECT string_agg(check_name, ',' ORDER BY check_name) FROM sync.sync_progress_doctor()}), all_checks(), 'pg_monitor sees the same');
my ($code, undef, $error) = $node->psql('postgres', 'SELECT * FROM sync.sync_progress_doctor(987654)');
like($error, qr/sync session 987654 does not exist.*\n.*HINT/s, 'an unknown session is an error');

# Settings.
sql("ALTER SYSTEM SET $_") for 'fsync = on', 'full_page_writes = off', 'autovacuum = off', 'track_activities = off', 'default_transaction_read_only = on';
$node->reload;
ok(becomes(qr/^f\|full_page_writes = off/, 'setting_full_page_writes'), 'full_page_writes');
is(check('setting_fsync'), '', 'fsync is on: no word of it');
like(check('setting_autovacuum'), qr/^f\|/, 'autovacuum');
like(check('setting_track_activities'), qr/^\|/, 'track_activities');
like(check('setting_default_transaction_read_only'), qr/^\|/, 'default_transaction_read_only');
$node->safe_psql('postgres', "BEGIN READ WRITE; COMMIT; ALTER SYSTEM RESET $_") for qw(full_page_writes autovacuum track_activities default_transaction_read_only);
$node->reload;
ok(becomes(qr/^t\|/, 'settings'), 'and all of them are in order again');
is(check('setting_track_commit_timestamp'), '', 'track_commit_timestamp is off: no word of it');
like(check('autovacuum'), qr/^t\|/, 'autovacuum of the tables');
like(check('autovacuum', undef, 'ALTER TABLE sync.sync_sessions SET (autovacuum_enabled = off)'), qr/^f\|switched off for sync_sessions\|/, 'switched off for one');
like(check('listeners'), qr/^\|sync_progress.notify = data, any role/, 'any role may listen');
like(check('listeners', undef, 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC'), qr/^t\|/, 'not where only named roles connect');

# Versions.
like(check('version'), qr/^t\|SQL ([\d.]+), library \1, installed on this server \1\|$/, 'versions that are the same');
like(check('version', undef, q{UPDATE pg_extension SET extversion = '1.0.9' WHERE extname = 'sync_progress'}), qr/^f\|.*ALTER EXTENSION sync_progress UPDATE/, 'an older SQL: update it');
like(check('version', undef, q{UPDATE pg_extension SET extversion = '9.0.0' WHERE extname = 'sync_progress'}), qr/^f\|.*restart the server/, 'a newer SQL: restart the server');
like(check('version', undef, q{UPDATE pg_proc SET prosrc = 'not_there_yet' WHERE proname = 'sync_progress_library'}),
	qr/^f\|.*older or missing.*\|Install/, 'a library that does not have what the SQL needs');

# Roles.
like(check('owner'), qr/^\|.*is superuser and can log in\|/, 'a superuser owns the tables: better not');
like(check('owner', undef, 'CREATE ROLE keeper; ALTER TABLE sync.sync_sessions OWNER TO keeper'), qr/^\|.*\|GRANT pg_read_all_stats TO keeper/, 'one that is NOLOGIN, and blind');
like(check('owner', undef, 'CREATE ROLE keeper LOGIN; ALTER TABLE sync.sync_sessions OWNER TO keeper'), qr/^\|.*is no superuser and can log in\|/, 'one that can log in');
like(check('schema'), qr/^t\|/, 'nobody creates objects in the schema');
like(check('schema', undef, 'GRANT CREATE ON SCHEMA sync TO PUBLIC'), qr/^f\|PUBLIC can create.*\|REVOKE CREATE/, 'everybody does');
like(check('schema', undef, 'CREATE ROLE someone; GRANT CREATE ON SCHEMA sync TO someone'), qr/^\|someone can create/, 'one role does');
like(check('public_rights'), qr/^t\|/, 'PUBLIC may execute nothing');
like(check('public_rights', undef, 'GRANT EXECUTE ON FUNCTION sync.sync_session_start TO PUBLIC'), qr/^f\|.*sync_session_start.*\|REVOKE/, 'PUBLIC may');
like(check('application_rights'), qr/^\|no role/, 'no application yet');
like(check('bridge_rights'), qr/^\|no role/, 'no bridge yet');
sql(q{CREATE ROLE app LOGIN; CREATE ROLE bridge LOGIN; SELECT sync.sync_progress_grant('app', 'application'); SELECT sync.sync_progress_grant('bridge', 'bridge')});
like(check('application_rights'), qr/^t\|app has all rights/, 'an application with its rights');
like(check('bridge_rights'), qr/^t\|bridge has all rights/, 'a bridge with its rights');
like(check('bridge_rights', undef, 'REVOKE EXECUTE ON FUNCTION sync.sync_progress_keys FROM bridge'), qr/^f\|bridge may not execute sync_progress_keys\|SELECT sync.sync_progress_grant\('bridge', 'bridge'\)/, 'a bridge without one');
like(check('bridge_rights', undef, 'REVOKE EXECUTE ON FUNCTION sync.sync_progress_canary FROM bridge'), qr/^\|bridge may not execute sync_progress_canary\|/, 'or without what it can do without');
like(check('bridge_rights', undef, 'REVOKE USAGE ON SCHEMA sync FROM bridge'), qr/^f\|bridge may not use the schema/, 'or without the schema');
like(check('application_rights', undef, 'REVOKE USAGE ON SCHEMA sync FROM app'), qr/^f\|app may not use the schema/, 'an application without the schema');
like(check('application_rights', undef, 'REVOKE EXECUTE ON FUNCTION sync.sync_session_retry FROM app'), qr/^\|app may not execute sync_session_retry/, 'an application with less is one that may be meant so');

# Keys.
like(check('keys'), qr/^t\|tokens are signed with/, 'a key to sign with');
like(check('keys', undef, 'DELETE FROM sync.sync_keys'), qr/^f\|there is none.*\|SELECT sync.sync_progress_rotate_key/, 'none');
like(check('keys', undef, q{UPDATE sync.sync_keys SET created_at = now() - interval '2 years'}), qr/^\|.*rotate_key/, 'an old one');
is(sql(q{BEGIN; SELECT 1 FROM sync.sync_progress_rotate_key(); SELECT detail ~ '; 1 older own ones are accepted until 2' FROM sync.sync_progress_doctor() WHERE check_name = 'keys'; ROLLBACK}), "1\nt", 'one that was rotated');

# Kinds.
my $run = new_session($node, 'total_count => 1000');
like(check('kinds'), qr/^t\|the functions of 4 kinds work/, 'the functions of kinds');
my $kind = q{CREATE FUNCTION f(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$ BEGIN %s END $$;
	CREATE FUNCTION a(bigint, jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN %s END $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function) VALUES ('own', 'Own', 'id', 'public.f(bigint[])', 'public.a(bigint, jsonb)');
	INSERT INTO sync.sync_sessions (kind, owner_id, source_id) VALUES ('own', 'o', 'o')};
my $fine = q{RETURN QUERY SELECT x, '{}'::json FROM unnest($1) AS x;};
like(check('kinds', undef, sprintf($kind, $fine, 'RETURN true;')), qr/^t\|the functions of 5 kinds work/, 'one of our own that works');
like(check('kind_own', undef, sprintf($kind, q{RAISE EXCEPTION 'no payload today';}, 'RETURN true;')), qr/^f\|payload_function public.f\(bigint\[\]\) fails for session \d+: no payload today\|Repair/, 'whose payload function fails');
like(check('kind_own', undef, sprintf($kind, $fine, q{RAISE EXCEPTION 'nobody today';})), qr/^f\|authorize_function .* nobody today/, 'whose authorize function fails');
like(check('kind_own', undef, sprintf($kind, $fine, 'RETURN true;') . '; DROP FUNCTION f'), qr/^f\|payload_function public.f\(bigint\[\]\) does not exist/, 'whose payload function is gone');
like(check('kinds', undef, sprintf($kind, $fine, 'RETURN true;') . '; DROP FUNCTION a'), qr/^f\|the functions of 4 kinds work, those of 1 do not/, 'whose authorize function is gone');

# Locks: by a process, in a savepoint, by several, by a prepared transaction.
sub stage { return check('stage', "sync_progress_doctor($run)"); }
sub locker
{
	my $app = $node->background_psql('postgres', on_error_stop => 1);
	my $pid = $app->query_safe('SELECT pg_backend_pid()');
	return ($app, $pid);
}
flush($node);
like(check('locks'), qr/^t\|/, 'nobody locks');
my ($app, $pid) = locker();
$app->query_safe("BEGIN; SAVEPOINT x; UPDATE sync.sync_sessions SET title = 'held' WHERE id = $run;");
increment($node, $run, 5);
ok(becomes(qr/^f\|session $run is locked by process $pid \(.*idle in transaction since.*\|.*pg_terminate_backend\($pid\)/, 'locks'), 'a session that is locked, and by whom');
like(stage(), qr/^f\|locked: process $pid \(.*\|.*pg_terminate_backend\($pid\)/, 'the stage of its run');
like(check('row', "sync_progress_doctor($run)"), qr/^f\|process $pid/, 'and its row');
like(sql('TABLE sync.sync_progress_watch'), qr/locked by $pid/, 'the terminal shows it');
is(sql(q{SELECT format('%s %s %s %s', blocked_by, blocked_session, backed_off_locked > 0, backed_off_failed + backed_off_untold) FROM sync.pg_stat_sync_progress}), "$pid $run t 0", 'and the statistics, with how often');
like(check('idle_in_transaction', "sync_doctor_settings('0 s')"), qr/^\|1: process $pid/, 'who is idle in a transaction');
like(check('idle_in_transaction'), qr/^t\|/, 'not yet for long');
$app->query_safe('COMMIT');
# for five seconds more it named who was no more in the way, and how to end that
like(check('locks'), qr/^t\|/, 'it is let go');
$app->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $run FOR SHARE;");
my ($other, $pid2) = locker();
$other->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $run FOR SHARE;");
like(check('row', "sync_progress_doctor($run)"), qr/^f\|process ($pid|$pid2) /, 'locked by two: one of them');
$other->query_safe('ROLLBACK');
like(check('row', "sync_progress_doctor($run)"), qr/^f\|process $pid /, 'then by the other');
$app->query_safe('ROLLBACK');
$app->query_safe("BEGIN; INSERT INTO sync.sync_session_accounts (sync_session_id, name) VALUES ($run, 'x');");
like(check('row', "sync_progress_doctor($run)"), qr/^t\|nobody/, 'a new account locks nothing that a fold needs');
$app->query_safe('ROLLBACK');
sql("BEGIN; UPDATE sync.sync_sessions SET title = 'held' WHERE id = $run; PREPARE TRANSACTION 'forgotten'");
increment($node, $run, 5);
ok(becomes(qr/^f\|session $run is locked by prepared transaction "forgotten".*\|COMMIT PREPARED 'forgotten'; or ROLLBACK/, 'locks'), 'locked by a prepared transaction');
like(check('prepared_transactions', "sync_doctor_ledger('0 s')"), qr/^f\|1, the oldest is "forgotten"/, 'prepared transactions');
like(check('prepared_transactions'), qr/^t\|1, the oldest/, 'not yet for long');
sql("ROLLBACK PREPARED 'forgotten'");
ok(becomes(qr/^t\|/, 'locks'), 'it is let go');
like(check('prepared_transactions'), qr/^t\|none/, 'and there is none any more');

# Errors of the worker.
flush($node);
like(check('errors'), qr/^t\|none/, 'no errors');
sql('SELECT 1; ' . sprintf($kind, q{RAISE EXCEPTION 'no payload today';}, 'RETURN true;'));
ok(becomes(qr/^f\|.*no payload today\|/, 'errors'), 'an error');
is(sql(q{SELECT format('%s %s', backed_off_untold > 0, last_error_at > now() - interval '1 minute') FROM sync.pg_stat_sync_progress}), 't t', 'in the statistics, with its time');
my $own = sql(q{SELECT id FROM sync.sync_sessions WHERE kind = 'own'});
ok(becomes(qr/^f\|failing: .*no payload today\|It is tried again at/, 'stage', "sync_progress_doctor($own)"), 'the stage of its run');
sql("CREATE OR REPLACE FUNCTION f(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS \$\$ BEGIN $fine END \$\$");
ok(becomes(qr/^t?\|told/, 'stage', "sync_progress_doctor($own)"), 'told once it is repaired');
like(check('errors', "sync_doctor_work(error_for => '0 s')"), qr/^t\|.*no payload today/, 'and the error is history');
sql(q{DELETE FROM sync.sync_sessions WHERE kind = 'own'; DELETE FROM sync.sync_kinds WHERE kind = 'own'});

# Bridges, and the stages of a run that nobody locks.
flush($node);
like(check('bridges'), qr/^\|none is attached/, 'no bridge');
like(stage(), qr/^\|told: .*no bridge is attached/, 'a run: told, and nobody listens');
$other->query_safe('SELECT * FROM sync.sync_progress_attach()');
like(check('bridges'), qr/^t\|1 attached/, 'a bridge');
like(stage(), qr/^t\|told: all/, 'a run: told');
increment($node, $run, 5);
ok(becomes(qr/^t\|(throttled: it is told in \d+ ms|told)/, 'stage', "sync_progress_doctor($run)"), 'a run: throttled');
flush($node);
$app->query_safe("BEGIN; SAVEPOINT x; SELECT sync.sync_progress_increment($run, 100);");
like(stage(), qr/^t\|uncommitted: process $pid .*\(1 rows\)/, 'a run: counted, not committed');
sql(q{UPDATE sync.sync_kinds SET stall_after = '10 ms' WHERE kind = 'sync'});
like(stage(), qr/^f\|uncommitted: process $pid .*\|.*sync_progress.mode = live/, 'for long: commit more often');
$app->query_safe('ROLLBACK');
flush($node);
ok(becomes(qr/^f\|not counted: nothing was committed for it since/, 'stage', "sync_progress_doctor($run)"), 'a run: nobody counts');
sql(q{UPDATE sync.sync_kinds SET stall_after = '30 s' WHERE kind = 'sync'});
sql("SELECT sync.sync_session_pause($run)");
flush($node);
like(stage(), qr/^t\|paused.*\|SELECT sync.sync_session_resume\($run\)/, 'a run: paused');
my $ended = new_session($node);
sql("SELECT sync.sync_session_complete($ended)");
flush($node);
like(check('stage', "sync_progress_doctor($ended)"), qr/^t\|ended: it is completed since/, 'a run: ended');
like(check('notified', "sync_progress_doctor($ended)"), qr/^t\|last at 20/, 'when it was told');
sql("SELECT sync.sync_session_resume($run)");
flush($node);

# The NOTIFY queue.
like(check('notify_queue'), qr/^t\|0.00 % of the queue is in use\|$/, 'the queue');
$app->query_safe('LISTEN sync_progress');
$app->query_safe('BEGIN; SELECT 1;');
like(check('notify_queue', q{sync_doctor_queue(0.6, '0 s')}), qr/^f\|60.00 % of the queue is in use.*process $pid.*\|.*pg_terminate_backend\($pid\)/, 'more than half full, and who may hold it back');
like(check('notify_queue', q{sync_doctor_queue(0.06, '0 s')}), qr/^\|6.00 %/, 'filling up');
$app->query_safe('COMMIT; UNLISTEN sync_progress;');

# The ledger, under a held snapshot.
like(check('ledger'), qr/^t\|/, 'the ledger');
$app->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;');
my $heap = sql('SELECT current_heap FROM sync.pg_stat_sync_progress');
sql("SELECT count(sync.sync_progress_increment($run)) FROM generate_series(1, 80000)");
flush($node);
ok(wait_until(sub { increment($node, $run, 1); flush($node); sql('SELECT ledger_heaps_held FROM sync.pg_stat_sync_progress') > 0 }, 'a heap that is held'), 'a heap is folded and cannot be emptied');
like(check('ledger', q{sync_doctor_ledger('0 s')}), qr/^\|.* 1 folded and not emptied yet; the oldest snapshot is of process $pid .*\|.*pg_terminate_backend\($pid\)/, 'and who holds it');
like(check('ledger', q{sync_doctor_ledger('0 s', 1)}), qr/^f\|.*process $pid/, 'too many heaps');
like(check('ledger', q{sync_doctor_ledger('0 s', 15, 1000000)}), qr/^f\|.*process $pid/, 'too many bytes');
$app->query_safe('COMMIT');
ok(wait_until(sub { increment($node, $run, 1); flush($node); sql('SELECT ledger_heaps_held FROM sync.pg_stat_sync_progress') == 0 }, 'it to be emptied'), 'it is emptied');
like(check('ledger', q{sync_doctor_ledger('0 s')}), qr/^t\|/, 'the ledger is in order again');

# Shared memory.
like(check('shared_memory'), qr/^t\|/, 'shared memory');
sql(q{SELECT count(sync.sync_session_start('many')) FROM generate_series(1, 15)});
flush($node);
$app->query_safe(q{BEGIN; SELECT count(sync.sync_progress_increment(id)) FROM sync.sync_sessions WHERE owner_id = 'many';});
like(check('shared_memory'), qr/^f\|.*of 16 sessions are tracked.*\|Raise sync_progress.max_sessions/, 'nearly full');
$app->query_safe('COMMIT');
flush($node);
ok(becomes(qr/^t\|/, 'shared_memory'), 'and in order again');
like(check('live_counters'), qr/^t\|0 of 16/, 'counters of live mode');
$app->query_safe("SET sync_progress.mode = live; SELECT count(sync.sync_progress_increment($run, 1, 'c' || n)) FROM generate_series(1, 15) AS n;");
like(check('live_counters'), qr/^f\|15 of 16.*\|Raise sync_progress.max_live_counters/, 'nearly all in use');
$app->query_safe('RESET sync_progress.mode');

# Launcher and worker.
like(check('launcher'), qr/^t\|process \d+/, 'the launcher');
like(sql(q{DO $$ DECLARE r record; BEGIN
	PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = 'sync_progress launcher';
	FOR n IN 1..200 LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT * INTO r FROM sync.sync_doctor_worker() WHERE check_name = 'launcher';
		EXIT WHEN NOT r.ok;
		PERFORM pg_sleep(0.005);
	END LOOP;
	PERFORM set_config('doctor.seen', concat_ws('|', r.ok, r.detail, r.what_to_do), false);
	END $$; SHOW doctor.seen}), qr/^f\|it does not run\|/, 'no launcher');
ok(becomes(qr/^t\|/, 'launcher'), 'it is back');
my $worker = wait_for_worker($node);
# one that waits: who is stopped with a lock of the server's holds everybody
flush($node);
wait_until(sub { sql("SELECT state || ' ' || query FROM pg_stat_activity WHERE pid = $worker") eq 'idle waiting for increments' }, 'the worker to wait');
kill 'STOP', $worker;
increment($node, $run, 1);
ok(becomes(qr/^f\|.*\|It hangs: .*pg_terminate_backend\($worker\)/, 'worker', q{sync_doctor_worker('10 ms')}), 'a worker that hangs');
ok(becomes(qr/^f\|.*\|The worker does not keep up/, 'backlog', q{sync_doctor_work('10 ms')}), 'what is due and waits');
ok(becomes(qr/^t?\|waiting: it is due/, 'stage', "sync_progress_doctor($run)"), 'a run: due');
kill 'CONT', $worker;
flush($node);
like(check('backlog'), qr/^t\|/, 'nothing waits');
my $launcher = end_worker($node);
increment($node, $run, 1);
like(check('worker'), qr/^f\|there is none, and something to do\|The launcher starts one/, 'no worker');
like(stage(), qr/^f?\|worker: something is committed/, 'a run: no worker');
sql(q{DELETE FROM sync.sync_sessions WHERE owner_id = 'many'});
is(check('worker', undef, q{UPDATE sync.sync_sessions SET status = 'cancelled' WHERE status IN ('pending', 'processing', 'paused')}) =~ /^f\|/, 1, 'nor when no run is open, but something is to be folded');
kill 'CONT', $launcher;
wait_for_worker($node);
flush($node);
ok(becomes(qr/^t\|process/, 'worker'), 'it is back');

# All of it given to somebody else, by what the doctor says: it works, and is in order.
sql((split /\|/, check('owner'))[2] =~ s/^.*Better: //r);
like(check('owner'), qr/^t\|the tables are sync_owner's, who is no superuser and cannot log in/, 'an owner that is in order');
is(not_looked_at(), '', 'who can look at all');
is(sql(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'sync'::regnamespace AND proowner <> 'sync_owner'::regrole}), 0, 'and owns every function');
my $before = sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $run");
increment($node, $run, 3);
flush($node);
is(sql("SELECT processed_count - $before FROM sync.sync_sessions WHERE id = $run"), 3, 'the fold works as that role');
is(sql(q{SET ROLE app; SELECT sync.sync_session_complete(sync.sync_session_start('owned'))}), 'completed', 'applications do as ever');
flush($node);
is(sql(q{SELECT sync.sync_progress_prune('0') > 0}), 't', 'and so does pruning');
is(sql(q{SELECT last_error !~ 'permission' OR last_error IS NULL FROM sync.pg_stat_sync_progress}), 't', 'no right was missing');
($code, undef, $error) = $node->psql('postgres', q{SELECT sync.sync_progress_set_owner('nobody')});
like($error, qr/role "nobody" does not exist.*HINT/s, 'an owner that does not exist is refused');

# Who has the last process.
like(check('worker_slots'), qr/^\|some 3 of 3 /, 'no process is free, while the worker has one');
sql('CREATE DATABASE second');
sql(q{CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync; SELECT sync.sync_session_start('a')}, 'second');
is(sql(q{SELECT ok, what_to_do FROM sync.sync_progress_doctor() WHERE check_name = 'worker_slots'}, 'second'),
	'f|Raise max_worker_processes and restart the server: without a free one a worker that ends cannot begin again.', 'another database finds none');
like(sql(q{SELECT ok, what_to_do FROM sync.sync_progress_doctor() WHERE check_name = 'worker'}, 'second'), qr/^f\|No process is left for it/, 'and so it has no worker');
sql('DROP DATABASE second');

# A worker that does not stay.
for my $time (1 .. 3)
{
	my $before = wait_for_worker($node);
	sql("SELECT pg_terminate_backend($before)");
	wait_for_worker($node, 'postgres', $before);
}
ok(becomes(qr/^f\|it has begun \d times in the last minute: it does not stay/, 'worker'), 'a worker that does not stay');
$_->quit for $app, $other;

# A standby.
$node->backup('base', backup_options => ['--checkpoint=fast']);
my $standby = PostgreSQL::Test::Cluster->new('doctor_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_worker_processes = 8');
$standby->start;
is($standby->safe_psql('postgres', q{SELECT ok, what_to_do <> '' FROM sync.sync_progress_doctor() WHERE check_name = 'primary'}), '|t', 'a standby says that it is one');
is($standby->safe_psql('postgres', q{SELECT string_agg(check_name, ',') FROM sync.sync_progress_doctor() WHERE NOT ok OR detail LIKE 'could not%'}), '', 'and has no other complaint');
like($standby->safe_psql('postgres', "SELECT detail FROM sync.sync_progress_doctor($run) WHERE check_name = 'folded'"), qr/^version \d+/, 'it shows a run, too');
$standby->stop('immediate');
$node->stop('immediate');

done_testing();
