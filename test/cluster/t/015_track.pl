# Existing tables drive sessions: what is told of them, many writers at once
# while the worker dies, crashes, prepared transactions, dump and restore, and
# life without the library.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_cluster('track', conf => "max_prepared_transactions = 5\n");
quick_kind($node, '50 milliseconds', '100 milliseconds');

sub sql { my ($text, $db) = @_; return $node->safe_psql($db // 'postgres', $text); }

# What is not as the table says: "id table session", a line each.
my $differ = q{SELECT concat_ws(' ', t.id, t.processed_emails, s.processed_count, s.status) FROM public.sync_sessions AS t
	LEFT JOIN sync.sync_sessions AS s ON s.kind = 'quick' AND s.source_id = t.id::text
	WHERE s.id IS NULL OR s.processed_count <> t.processed_emails OR s.status <> CASE t.status WHEN 0 THEN 'pending' WHEN 1 THEN 'processing' ELSE 'completed' END
	OR s.detected_count <> t.detected_expenses};

sub differences
{
	my ($db) = @_;
	flush($node, $db);
	return sql($differ, $db);
}

my $track = q{SELECT sync.sync_progress_track('public.sync_sessions', 'quick', '{"id":"id","owner_id":"user_id","status":"status","total_count":"total_emails",
	"processed_count":"processed_emails","detected_count":"detected_expenses","error_message":"error_message","status_map":{"0":"pending","1":"processing","2":"completed"}}')};
sql(q{CREATE TABLE public.sync_sessions (id bigserial PRIMARY KEY, user_id text, status integer DEFAULT 0, total_emails integer, processed_emails integer DEFAULT 0,
		detected_expenses integer DEFAULT 0, error_message text, lock_version integer DEFAULT 0);
	INSERT INTO public.sync_sessions (user_id, status, total_emails) SELECT 'carl', 1, 1000 FROM generate_series(1, 200)});
my $listener = SyncProgress::Listener->new($node);
is(sql($track), 200, 'a table with 200 rows is tracked');
wait_for_worker($node);
ok($listener->wait_for('owner:carl', sub { $_->{type} eq 'sessions_reloaded' && $_->{data}{count} == 200 }), 'lists of their owner are told to reload');
is(scalar(grep { $_->{type} ne 'sessions_reloaded' } $listener->of('owner:carl')), 0, 'once, not of each');

# -- what is told -------------------------------------------------------------
sql("INSERT INTO public.sync_sessions (id, user_id, total_emails) VALUES (1001, 'dora', 10)");
my $told = $listener->wait_for('owner:dora', sub { $_->{type} eq 'session_created' });
is($told && $told->{data}{source_id}, '1001', '[004-03] a new row is a new session in the owner\'s list');
sql("UPDATE public.sync_sessions SET status = 1, processed_emails = 4 WHERE id = 1001");
$told = $listener->wait_for('quick:1001', sub { $_->{data}{processed_count} == 4 });
is($told && "$told->{data}{status} $told->{data}{progress_percentage}", 'processing 40', 'a changed row is told');
sql("UPDATE public.sync_sessions SET status = 2, processed_emails = 10, detected_expenses = 3 WHERE id = 1001");
$told = $listener->wait_for('quick:1001', sub { $_->{final} });
is($told && "$told->{data}{status} $told->{data}{progress_percentage} $told->{data}{detected_count}", 'completed 100 3', 'its end, with all that came with it');
my @versions = map { $_->{version} } $listener->of('quick:1001');
is("@versions", join(' ', sort { $a <=> $b } @versions), 'in versions that grow');
sql("UPDATE public.sync_sessions SET user_id = 'emil' WHERE id = 1001");
ok($listener->wait_for('quick:1001', sub { $_->{type} eq 'revoked' }), 'another owner: who watches is asked again');
ok($listener->wait_for('owner:dora', sub { $_->{type} eq 'session_deleted' }) && $listener->wait_for('owner:emil', sub { $_->{type} eq 'session_created' }), 'and it moves from one list to the other');
$listener->forget;
sql('DELETE FROM public.sync_sessions WHERE id = 1001');
ok($listener->wait_for('owner:emil', sub { $_->{type} eq 'session_deleted' }) && $listener->wait_for('quick:1001', sub { $_->{type} eq 'revoked' }), 'a deleted row: its list and who watches');
is(sql("SELECT count(*) FROM sync.sync_sessions WHERE source_id = '1001'"), 0, 'when it is gone');
sql("INSERT INTO public.sync_sessions (id, user_id) SELECT n, 'fay' FROM generate_series(2001, 4000) AS n");
$listener->forget;
sql("DELETE FROM public.sync_sessions WHERE user_id = 'fay'");
ok(wait_until(sub { sql("SELECT count(*) FROM sync.sync_sessions WHERE owner_id = 'fay'") == 0 }, 'deletions'), 'two thousand rows go');
cmp_ok(scalar($listener->of('owner:fay')), '<=', 40, 'and lists are told a few times, not two thousand');

# The plans of the worker are made when there are few sessions; then there are
# many, and it looks for some of them.
sql('CREATE DATABASE plans');
sql(q{CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync; CREATE TABLE jobs (id int PRIMARY KEY, owner text, status text, done int);
	SELECT sync.sync_progress_track('jobs', 'sync', '{"id":"id","owner_id":"owner","status":"status","processed_count":"done"}');
	INSERT INTO jobs SELECT n, 'ivy', 'processing' FROM generate_series(1, 5) AS n}, 'plans');
sql('VACUUM (ANALYZE) sync.sync_sessions', 'plans');
sql("UPDATE jobs SET done = 1", 'plans');
flush($node, 'plans');
sub rows_read { return sql("SELECT pg_stat_force_next_flush(); SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_all_tables WHERE relid = 'sync.sync_sessions'::regclass", 'plans') =~ s/^\n//r; }
sql("INSERT INTO jobs SELECT n, 'ivy', 'processing' FROM generate_series(10001, 20000) AS n", 'plans');
my $read = rows_read();
sql("UPDATE jobs SET done = 1, status = 'completed' WHERE id BETWEEN 10001 AND 12000", 'plans');
flush($node, 'plans');
is(sql("SELECT count(*) FROM sync.sync_sessions WHERE status = 'completed' AND processed_count = 1", 'plans'), 2000, 'two thousand rows of ten thousand are changed');
ok(wait_until(sub { rows_read() > $read }, 'statistics'), 'the fold has read sessions');
cmp_ok(rows_read() - $read, '<', 1_000_000, 'by their keys, not all of them for each');

# -- what fails nothing is said ---------------------------------------------------
sub warning { my ($code, $out, $err) = $node->psql('postgres', $_[0]); return $code == 0 ? $err =~ s/^psql:.*?(?=WARNING)//mgr : "failed: $err"; }
like(warning('UPDATE public.sync_sessions SET status = 9 WHERE id = 99'), qr/^WARNING:  sync_progress knows no status "9", which column "status" has\n.*left as it is.*\nHINT:  .*status_map/s, 'an unknown status is a warning that names value and column');
is(warning('UPDATE public.sync_sessions SET processed_emails = 1 WHERE id = 99'), '', 'once');
sql('UPDATE public.sync_sessions SET status = 1, processed_emails = 0 WHERE id = 99; CREATE TABLE public.parts (id int, session int); INSERT INTO public.parts VALUES (1, 99), (2, 4711), (3, NULL)');
like(warning(q{SELECT sync.sync_progress_track('public.parts', 'quick', '{"id":"id","session_id":"session"}')}), qr/^WARNING:  1 rows of public.parts are parts of what has no session\nHINT:  Track the table that they are parts of first/, 'so are parts of what has no session');
sql('DROP TABLE public.parts');

# -- many writers, and the worker dies ------------------------------------------
# Clients change one row each of twenty that all of them share; one transaction
# meanwhile changes a hundred others, batch after batch.  Nobody waits for the
# worker, at any moment.
my $update = script("\\set i random(1, 20)\nUPDATE public.sync_sessions SET processed_emails = processed_emails + 1, detected_expenses = processed_emails / 3,"
	. " lock_version = lock_version + 1 WHERE id = :i;\n");
my $bench = pgbench_start($node, '-c', 8, '-j', 1, '-t', 250, '-f', $update);
my $batches = $node->background_psql('postgres');
$batches->query_safe('BEGIN');
my $watch = $node->background_psql('postgres');
my ($waited, $killed, $worker, $round) = (0, 0, '', 0);
# a worker is started a second after the one before it
while ($round < 15 || ($killed < 2 && $round < 500))
{
	$round++;
	$batches->query_safe('UPDATE public.sync_sessions SET processed_emails = processed_emails + 10 WHERE id BETWEEN 101 AND 200');
	$waited += $watch->query_safe(q{SELECT count(*) FROM pg_stat_activity AS a, unnest(pg_blocking_pids(a.pid)) AS b JOIN pg_stat_activity AS w ON w.pid = b WHERE w.backend_type = 'sync_progress worker'});
	my $pid = worker_pid($node);
	if ($round % 3 == 0 && $pid =~ /^\d+$/ && $pid ne $worker)
	{
		sql("SELECT pg_terminate_backend($pid)");
		$worker = $pid;
		$killed++;
	}
}
$batches->query_safe('COMMIT');
$batches->quit;
$bench->{run}->finish;
like($bench->{out}, qr/number of transactions actually processed: 2000\/2000/, 'eight clients change twenty rows 2,000 times') or diag($bench->{err});
note("$round rounds");
cmp_ok($killed, '>=', 2, "the worker is terminated meanwhile ($killed times)");
is($waited, 0, 'no application ever waits for a worker');
is(differences(), '', 'every session is exactly what its row says');
is(sql('SELECT sum(processed_emails) FROM public.sync_sessions'), 2000 + 100 * 10 * $round, 'and the rows are what was written');
$watch->quit;

# increments of the extension beside the table's own changes, other rows
my $increment = script("\\set i random(21, 40)\nSELECT sync.sync_progress_increment(sync.sync_progress_session('quick', :i::text), 2);\n");
$bench = pgbench_start($node, '-c', 6, '-j', 1, '-t', 200, '-f', $increment, '-f', $update);
$bench->{run}->finish;
flush($node);
my ($incremented) = $bench->{out} =~ /SQL script 1.*?\n - (\d+) transactions/s;
is(sql("SELECT sum(processed_count) FROM sync.sync_sessions WHERE kind = 'quick' AND source_id::int BETWEEN 21 AND 40"), 2 * $incremented, 'increments reach tracked sessions, each of them');

# rows that go and come back, while the worker is just at them
my $replace = script("\\set i random(3001, 3010)\nDELETE FROM public.sync_sessions WHERE id = :i;\nINSERT INTO public.sync_sessions (id, user_id, status, processed_emails) VALUES (:i, 'hal', 1, random() * 1000) ON CONFLICT DO NOTHING;\n");
my $raise = script("\\set i random(3001, 3010)\nUPDATE public.sync_sessions SET processed_emails = processed_emails + 1, error_message = processed_emails WHERE id = :i;\n");
my $both = script("\\set i random(3001, 3010)\nBEGIN;\nDELETE FROM public.sync_sessions WHERE id = :i;\nINSERT INTO public.sync_sessions (id, user_id, status, processed_emails) VALUES (:i, 'hal', 0, 7) ON CONFLICT DO NOTHING;\nEND;\n");
$bench = pgbench_start($node, '-c', 8, '-j', 1, '-t', 400, '-f', $replace, '-f', $raise, '-f', $both);
$bench->{run}->finish;
like($bench->{out}, qr/actually processed: 3200\/3200/, 'rows are deleted and made again by eight clients, 3,200 times') or diag($bench->{err});
flush($node);
is(sql($differ =~ s/WHERE/WHERE t.user_id = 'hal' AND (/r . ')'), '', 'each has a session in the end, exactly what the row says');
is(sql("SELECT count(*) FROM sync.sync_sessions AS s WHERE owner_id = 'hal' AND NOT EXISTS (SELECT FROM public.sync_sessions AS t WHERE t.id::text = s.source_id)"), 0, 'and none is left without a row');
is(sql("SELECT count(*) FROM sync.sync_sessions AS s JOIN public.sync_sessions AS t ON t.id::text = s.source_id WHERE t.user_id = 'hal' AND s.error_message IS DISTINCT FROM t.error_message"), 0, 'texts too');

# -- crash, prepared transactions -------------------------------------------------
sql('UPDATE public.sync_sessions SET processed_emails = 21 WHERE id BETWEEN 21 AND 40');
$bench = pgbench_start($node, '-c', 4, '-j', 1, '-t', 100000, '-f', $update);
my $sum = sql('SELECT sum(processed_emails) FROM public.sync_sessions');
ok(wait_until(sub { sql('SELECT sum(processed_emails) FROM public.sync_sessions') > $sum + 200 }, 'updates'), 'updates go on');
$listener->quit;
$node->stop('immediate');
$bench->{run}->finish;
$node->start;
wait_for_worker($node);
is(differences(), '', 'after a crash every session is what its row says');
sql("BEGIN; UPDATE public.sync_sessions SET status = 2, processed_emails = 1000 WHERE id = 50; INSERT INTO public.sync_sessions (id, user_id) VALUES (5000, 'gus'); PREPARE TRANSACTION 'p'");
flush($node);
is(sql("SELECT status FROM sync.sync_sessions WHERE source_id = '50'"), 'processing', 'a prepared change is none yet');
sql("COMMIT PREPARED 'p'");
is(differences(), '', 'committed it is');

# -- dump and restore ----------------------------------------------------------------
my $app = $node->background_psql('postgres');
$app->query_safe(q{BEGIN; SELECT count(*) FROM (SELECT FROM sync.sync_sessions WHERE source_id IN ('60', '61') FOR UPDATE) AS l});
sql("UPDATE public.sync_sessions SET status = 2, processed_emails = 999, error_message = 'not folded' WHERE id = 60; DELETE FROM public.sync_sessions WHERE id = 61");
my ($dump, $err);
ok(IPC::Run::run([ $node->installed_command('pg_dump'), '-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$dump, '2>', \$err), 'pg_dump of a database with a tracked table') or diag($err);
$app->query_safe('COMMIT');
$app->quit;
sql('CREATE DATABASE restored');
ok(IPC::Run::run([ $node->installed_command('psql'), '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored') ], '<', \$dump, '>', '/dev/null', '2>', \$err) && $err eq '', 'its restore') or diag($err);
my $definitions = q{SELECT string_agg(pg_get_triggerdef(oid), E'\n' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'public.sync_sessions'::regclass AND NOT tgisinternal};
is(sql($definitions, 'restored'), sql($definitions), 'the copy is tracked in the same way');
is(sql("SELECT concat_ws(' ', status, processed_count) FROM sync.sync_progress WHERE source_id = '60'", 'restored'), 'completed 999', 'what was not folded is in its exact view');
is(differences('restored'), '', 'and is folded there');
is(sql("SELECT count(*) FROM sync.sync_sessions WHERE source_id = '61'", 'restored'), 0, 'deletions too');
is(sql("SELECT error_message FROM sync.sync_sessions WHERE source_id = '60'", 'restored'), 'not folded', 'and texts');
sql("UPDATE public.sync_sessions SET processed_emails = processed_emails + 1; INSERT INTO public.sync_sessions (id, user_id) VALUES (9000, 'new')", 'restored');
is(differences('restored'), '', 'its rows drive its sessions');
is(differences(), '', 'and those of the original its own');

# -- without the library, without the extension ----------------------------------------
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
sql("UPDATE public.sync_sessions SET processed_emails = 5, status = 1 WHERE id = 70; INSERT INTO public.sync_sessions (id, user_id) VALUES (9001, 'new'); DELETE FROM public.sync_sessions WHERE id = 71");
pass('not preloaded: the application goes on');
is($node->psql('postgres', 'ALTER TABLE public.sync_sessions RENAME COLUMN detected_expenses TO found'), 0, 'nobody is there to refuse a rename');
my ($code, $out, $stderr) = $node->psql('postgres', 'UPDATE public.sync_sessions SET processed_emails = 6 WHERE id = 70');
like($stderr, qr/ERROR:  table "sync_sessions" has no column "detected_expenses", which sync_progress takes "detected_count" from\n.*HINT:  Call sync_progress_untrack/s, 'then the next change names the column that is missing');
sql('ALTER TABLE public.sync_sessions RENAME COLUMN found TO detected_expenses');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sync_progress'");
$node->restart;
wait_for_worker($node);
is(differences(), '', 'preloaded again, what was done meanwhile is folded');
is(sql("SELECT count(*) FROM sync.sync_sessions WHERE source_id = '71'"), 0, 'deletions too');
isnt($node->psql('postgres', 'DROP EXTENSION sync_progress'), 0, 'DROP EXTENSION is refused while a table is tracked');
sql('DROP EXTENSION sync_progress CASCADE');
is(sql("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'sync_progress_%'"), 0, 'CASCADE drops the triggers');
sql("UPDATE public.sync_sessions SET processed_emails = 7; DELETE FROM public.sync_sessions WHERE id = 72");
pass('and the table is as it was');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
