# ALTER EXTENSION UPDATE under load, and a library that meets other SQL than its
# own: older, newer, and such as a worker fails at.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Catalog;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# scripts of versions to come are put beside those that are installed
my ($tree, $scripts) = own_tree();
my $node = new_cluster('update', extension => 0, install_path => $tree, conf => "log_min_messages = debug1\n");

sub sql { my ($text, $db) = @_; return $node->safe_psql($db // 'postgres', $text); }

sub said { my ($pattern, $from) = @_; return scalar(() = slurp_file($node->logfile, $from) =~ /$pattern/g); }

# When a worker was started, in seconds; never earlier than the one before.
sub starts
{
	my ($from) = @_;
	my @at = map { my ($h, $m, $s) = split /:/; $h * 3600 + $m * 60 + $s } slurp_file($node->logfile, $from) =~ /^\S+ (\d+:\d+:\d+\.\d+) .*starting background worker process "sync_progress worker/mg;
	return map { $_ < $at[0] ? $_ + 86400 : $_ } @at;
}

sub version { return sql(q{SELECT extversion FROM pg_extension WHERE extname = 'sync_progress'}, $_[0]); }

sub write_script
{
	my ($name, $text) = @_;
	open my $file, '>', "$scripts/sync_progress--$name.sql" or die "$scripts: $!";
	print $file $text;
	close $file;
	return;
}

# -- 1.0.0, served by the library of now ------------------------------------------
my ($newest) = slurp_file("$scripts/sync_progress.control") =~ /^default_version = '(.+)'/m;
sql("CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync VERSION '1.0.0'");
is(version(), '1.0.0', 'an older version can be installed');
sql(q{CREATE ROLE app; CREATE ROLE bridge; CREATE ROLE reader;
	GRANT USAGE ON SCHEMA sync TO app, bridge, reader;
	GRANT EXECUTE ON FUNCTION sync.sync_session_start, sync.sync_progress_increment TO app;
	GRANT EXECUTE ON FUNCTION sync.sync_progress_attach, sync.sync_progress_subscribe TO bridge;
	GRANT SELECT ON sync.pg_stat_sync_progress TO reader; GRANT EXECUTE ON FUNCTION sync.sync_progress_stat TO reader; GRANT SELECT (id, title) ON sync.sync_sessions TO reader WITH GRANT OPTION;
	GRANT EXECUTE ON FUNCTION sync.sync_progress_bar TO PUBLIC});
quick_kind($node, '50 milliseconds', '100 milliseconds');
sql(q{UPDATE sync.sync_kinds SET every_count = 77 WHERE kind = 'mesh'});
my $old = new_session($node, q{kind => 'quick', total_count => 1000, accounts => '[{"name":"in","total_count":10}]'});
my $account = sql("SELECT id FROM sync.sync_session_accounts WHERE sync_session_id = $old");
my $worker = wait_for_worker($node);
my $listener = SyncProgress::Listener->new($node);
increment($node, $old, 5);
sql("SELECT sync.sync_progress_increment($old, 2, 'processed', $account), sync.sync_progress_increment_many($old, '{\"detected\":3,\"a.b\":1}'), sync.sync_progress_set($old, message => 'hi')");
sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($old, 10)");
my $told = $listener->wait_for("quick:$old", sub { $_->{data}{processed_count} == 17 && ($_->{data}{message} // '') eq 'hi' });
is($told && "$told->{data}{detected_count} $told->{data}{accounts}[0]{processed_count} $told->{data}{counters}{a}{b}", '3 2 1', 'with the SQL of 1.0.0 all is counted, folded and told');
is(counted($node, $old), 17, 'in the table, too');
is(sql("SELECT concat_ws(' ', processed_count, message) FROM sync.sync_progress($old)"), '17 hi', 'the view shows it');
like(sql('SELECT concat_ws(\' \', worker_pid, increments_folded > 0, notifications > 0, max_sessions) FROM sync.pg_stat_sync_progress'), qr/^$worker t t \d+$/, 'and so does pg_stat_sync_progress');
is(sql(qq{SELECT version > 0 AND (payload ->> 'processed_count')::int = 17 FROM sync.sync_progress_subscribe(ARRAY['{"channel":"QuickChannel","id":$old}'], ARRAY['{"scope":["admin"]}'::jsonb], '{1}')}), 't', 'bridges can subscribe');
is(sql("SELECT sync.sync_session_pause($old) || sync.sync_session_resume($old)"), 'pausedprocessing', 'runs can be paused');
is(sql('SELECT sync.pg_stat_sync_progress_reset() IS NOT NULL'), 't', 'statistics can be reset');

# -- the update, while clients count ----------------------------------------------
sql('CREATE TABLE witness (amount bigint) WITH (autovacuum_enabled = off)');
my $app = $node->background_psql('postgres');
$app->query_safe("PREPARE one AS SELECT sync.sync_progress_increment(\$1, \$2); EXECUTE one($old, 1)");
my $bench = pgbench_start($node, '-M', 'prepared', '-c', 4, '-j', 2, '-t', 1500, '-f',
	script("BEGIN; SELECT sync.sync_progress_increment($old, 3); INSERT INTO witness VALUES (3); COMMIT;\n"
		  . "BEGIN; SELECT sync.sync_progress_increment_many($old, '{\"processed\":4}', $account); INSERT INTO witness VALUES (4); COMMIT;\n"));
ok(wait_until(sub { $bench->{run}->pump_nb; sql('SELECT count(*) > 500 FROM witness') eq 't' }, 'the load'), 'four clients count');
sql('ALTER EXTENSION sync_progress UPDATE');
$bench->{run}->pump_nb;
ok($bench->{run}->pumpable, 'the extension is updated meanwhile');
ok($bench->{run}->finish, 'no client fails') or diag($bench->{err});
like($bench->{out}, qr{transactions actually processed: 6000/6000}, 'not one transaction');
is(version(), $newest, 'it is the newest version');
is($app->query_safe("EXECUTE one($old, 2)") =~ s/\s//gr, 'processing', 'a statement prepared before goes on');
my $sum = 17 + 3 + sql('SELECT sum(amount) FROM witness');
is(counted($node, $old), $sum, 'every increment is counted, once');
is(sql("SELECT processed_count FROM sync.sync_session_accounts WHERE id = $account"), 2 + 4 * 6000, 'on the account as well');
ok($listener->wait_for("quick:$old", sub { $_->{data}{processed_count} == $sum }), 'and told to who listened before');
is(worker_pid($node), $worker, 'by the worker that was there');
is(sql('SELECT version FROM sync.sync_progress_library()'), $newest, 'the library says which it is');

# -- what it has become, and what was the administrator's own -----------------------
is(sql(q{SELECT string_agg(privilege, ', ' ORDER BY privilege) FROM (VALUES
		('app starts', has_function_privilege('app', 'sync.sync_session_start(text,text,text,bigint,jsonb,text,text)', 'EXECUTE')),
		('app counts', has_function_privilege('app', 'sync.sync_progress_increment(bigint,bigint,text,bigint)', 'EXECUTE')),
		('bridge attaches', has_function_privilege('bridge', 'sync.sync_progress_attach()', 'EXECUTE')),
		('bridge subscribes', has_function_privilege('bridge', 'sync.sync_progress_subscribe(text[],jsonb[],int[])', 'EXECUTE')),
		('reader monitors', has_table_privilege('reader', 'sync.pg_stat_sync_progress', 'SELECT')),
		('reader grants', has_column_privilege('reader', 'sync.sync_sessions', 'title', 'SELECT WITH GRANT OPTION')),
		('everybody draws', has_function_privilege('public', 'sync.sync_progress_bar(float,int)', 'EXECUTE'))) AS p (privilege, has) WHERE has}),
	'app counts, app starts, bridge attaches, bridge subscribes, everybody draws, reader grants, reader monitors', 'what was granted stays granted, also to PUBLIC');
is(sql('SET ROLE reader; SELECT count(*) FROM sync.pg_stat_sync_progress'), 1, 'who could look at statistics still can');
is(sql(q{SELECT every_count FROM sync.sync_kinds WHERE kind = 'mesh'}), 77, 'a kind\'s settings stay as they were set');
is(sql(q{SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e',
		aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE p.pronamespace = 'sync'::regnamespace AND a.grantee = 0}), 'sync.sync_progress_bar(double precision,integer)', 'nothing new is for everybody');
sql(q{REVOKE ALL ON ALL TABLES IN SCHEMA sync FROM reader; REVOKE ALL (id, title) ON sync.sync_sessions FROM reader; REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sync FROM app, bridge, reader; REVOKE ALL ON FUNCTION sync.sync_progress_bar FROM PUBLIC;
	UPDATE sync.sync_kinds SET every_count = 100 WHERE kind = 'mesh'; DELETE FROM sync.sync_sessions; DELETE FROM sync.sync_kinds WHERE kind = 'quick'});
sql('CREATE DATABASE fresh');
sql('CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync', 'fresh');
my ($updated, $fresh) = (catalog_of($node, 'postgres'), catalog_of($node, 'fresh'));
cmp_ok(scalar(@$fresh), '>', 300, 'an extension has many objects') or diag(scalar(@$fresh));
my (%in_updated, %in_fresh);
$in_updated{$_}++ for @$updated;
$in_fresh{$_}++ for @$fresh;
is(join("\n", grep { !$in_fresh{$_} } @$updated), '', 'the updated one has nothing that a new one does not have, or has otherwise');
is(join("\n", grep { !$in_updated{$_} } @$fresh), '', 'and lacks nothing of it');
is(scalar(@$updated), scalar(@$fresh), 'nor has it anything twice');

# -- SQL that the library cannot serve --------------------------------------------
# As when the server was not restarted: the script says what to do.
my ($guard) = slurp_file("$scripts/sync_progress--1.0.0--1.1.0.sql") =~ /^(DO \$\$\nBEGIN\n\tCREATE FUNCTION sync_progress_library.*?^\$\$;\n)/ms;
write_script("$newest--9.9.7", $guard =~ s/sync_progress_library/sync_progress_library_of_9/gr);
my ($status, $out, $err) = $node->psql('postgres', "ALTER EXTENSION sync_progress UPDATE TO '9.9.7'", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($err, qr/ERROR:  55000: the server has loaded an older library.*DETAIL:  could not find function "sync_progress_library_of_9".*HINT:  Restart the server/s, 'an update that needs a newer library than is loaded says so, and what to do');
is(version(), $newest, 'and changes nothing');
my $session = new_session($node, 'total_count => 1000');
increment($node, $session, 1);
is(counted($node, $session), 1, 'it is counted as before');

# A version of a later day, and then an older package.
write_script("$newest--9.9.9", "COMMENT ON FUNCTION sync_progress_flush() IS 'of the future';\n");
write_script("9.9.9--$newest", "COMMENT ON FUNCTION sync_progress_flush() IS 'of now';\n");
$app->query_safe("SELECT sync.sync_progress_increment($session)");
flush($node);
my $offset = -s $node->logfile;
sql("ALTER EXTENSION sync_progress UPDATE TO '9.9.9'");
my $unserved = qr/extension "sync_progress" is version 9\.9\.9 in this database, and the library that the server has loaded is version \Q$newest\E/;
for my $call ("sync_progress_increment($session)", "sync_progress_increment_many($session, '{\"processed\":1}')", "sync_progress_set($session, 5)", "sync_session_pause($session)", 'sync_progress_flush()', 'sync_progress_attach()')
{
	($status, $out, $err) = $node->psql('postgres', "SELECT sync.$call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  55000: $unserved\nHINT:  Install the library of version 9\.9\.9, and restart the server/, "newer SQL than the library knows: $call says so");
}
like(($node->psql('postgres', "UPDATE sync.sync_sessions SET title = 'x' WHERE id = $session"))[2], $unserved, 'so does an UPDATE');
# Who counted before still does, for it has not looked again: its commits ask
# for a worker.
my $pid = worker_pid($node);
sql("SELECT pg_terminate_backend($pid)") if $pid;
my $before = 0;
ok(wait_until(sub { $app->query_safe("SELECT sync.sync_progress_increment($session)"); $before++; said(qr/WARNING:  $unserved/, $offset) }, 'the worker\'s word'), 'the worker says it in the log') or diag(slurp_file($node->logfile, $offset));
like(slurp_file($node->logfile, $offset), qr/WARNING:  $unserved\n.*DETAIL:  Nothing is folded.*\n.*HINT:  Install the library/, 'with what to do');
my @at;
ok(wait_until(sub { $app->query_safe("SELECT sync.sync_progress_increment($session)"); $before++; @at = starts($offset); @at >= 3 }, 'three starts'), 'it is tried again');
is(said(qr/WARNING:  $unserved/, $offset), 1, 'once');
cmp_ok($at[ $_ + 1 ] - $at[$_], '>=', 0.95 * 2**$_, 'and is started ever more seldom: start ' . ($_ + 2)) for 0 .. 1;
# one is just being started, perhaps
ok(wait_until(sub { worker_pid($node) eq '' }, 'its end'), 'none stays');
sql("ALTER EXTENSION sync_progress UPDATE TO '$newest'");
$app->query_safe("SELECT sync.sync_progress_increment($session)");
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session") == 3 + $before }, 'the fold'), 'when library and SQL fit again all that was counted meanwhile is folded');
is(counted($node, $session), 3 + $before, 'once');

# -- a worker that fails whenever it is started --------------------------------------
# Each died within milliseconds and was started again a second later, with five
# lines in the log each time.
$offset = -s $node->logfile;
sql('ALTER TABLE sync.sync_sessions RENAME completed_at TO mislaid');
$pid = wait_for_worker($node);
sql("SELECT pg_terminate_backend($pid)");
ok(wait_until(sub { increment($node, $session, 1); $before++; @at = starts($offset); @at >= 3 }, 'three starts', 60), 'applications go on while the worker fails') or diag(slurp_file($node->logfile, $offset));
cmp_ok($at[ $_ + 1 ] - $at[$_], '>=', 0.95 * 2**$_, 'start ' . ($_ + 2) . ' has waited longer') for 0 .. 1;
is(said(qr/ERROR:  column s?\.?"?completed_at"? does not exist/, $offset), 1, 'the log has its error once') or diag(slurp_file($node->logfile, $offset));
is(said(qr/sync_progress worker ends: .*\n.*DETAIL:  Another is started, after pauses.*\n.*HINT:  See last_error/, $offset), 1, 'and what follows from it');
like(sql('SELECT last_error FROM sync.pg_stat_sync_progress'), qr/column .*completed_at.* does not exist/, 'pg_stat_sync_progress has it, too');
sql('ALTER TABLE sync.sync_sessions RENAME mislaid TO completed_at');
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session") == 3 + $before }, 'the fold', 60), 'repaired, it goes on by itself, with all that was counted meanwhile');

$app->quit;
$listener->quit;
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
