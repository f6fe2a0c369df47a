# Live mode: seen before commit, written in time, exact in sum with the other
# mode, and bounded.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('live', conf => q{
sync_progress.max_live_counters = 40
sync_progress.flush_interval = 100ms
max_prepared_transactions = 5
});
quick_kind($node, '50 milliseconds', '100 milliseconds');
$node->safe_psql('postgres', q{
	INSERT INTO sync.sync_kinds (kind, channel, param, every_count, min_interval, every_interval, payload_function, authorize_function)
	SELECT 'rare', 'RareChannel', 'id', 1000000000, '1 hour', '1 hour', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});

sub sql { return $node->safe_psql('postgres', $_[0]); }

# One live increment, from a session of its own.
sub live
{
	my ($session, $amount, $field) = @_;
	$field //= 'processed';
	return sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($session, $amount, '$field')");
}

sub folded { return sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $_[0]"); }

# -- before commit ------------------------------------------------------------
my $listener = SyncProgress::Listener->new($node);
my $session = new_session($node, "kind => 'quick', total_count => 100");
my $app = $node->background_psql('postgres');
$app->query_safe("SET sync_progress.mode = live; BEGIN; SELECT sync.sync_progress_increment($session, 30);");
ok($listener->wait_for("quick:$session", sub { $_->{data}{processed_count} == 30 }), 'watchers are told while the transaction that counts goes on');
is(sql("SELECT processed_count FROM sync.sync_progress($session)"), 30, 'others see it');
$app->query_safe("SELECT sync.sync_progress_increment($session, 12); ROLLBACK;");
ok($listener->wait_for("quick:$session", sub { $_->{data}{processed_count} == 42 }), 'what was counted stays when it is rolled back');

# -- written in time, told by the throttle's rule ------------------------------
my $rare = new_session($node, "kind => 'rare'");
live($rare, 1);
ok($listener->wait_for("rare:$rare", sub { $_->{data}{processed_count} == 1 }), 'a first increment is told at once');
live($rare, 6);
ok(wait_until(sub { folded($rare) == 7 }, 'the flush'), 'flush_interval after the call the table has the next, with nobody asking');
live($rare, 3);
ok(wait_until(sub { folded($rare) == 10 }, 'the flush'), 'and the one after that');
live($session, 1);
$listener->wait_for("quick:$session", sub { $_->{data}{processed_count} == 43 });
is(scalar(grep { ($_->{stream} // '') eq "rare:$rare" && ($_->{data}{processed_count} // 0) > 1 } $listener->all), 0, 'of which nobody is told before its time');
flush($node);
ok($listener->wait_for("rare:$rare", sub { $_->{data}{processed_count} == 10 }), 'but then');

# -- prepared transactions -----------------------------------------------------
sql("SET sync_progress.mode = live; BEGIN; CREATE TABLE made (); SELECT sync.sync_progress_increment($session, 5); PREPARE TRANSACTION 'p'");
is(sql("SELECT processed_count FROM sync.sync_progress($session)"), 48, 'counted before COMMIT PREPARED');
sql(q{ROLLBACK PREPARED 'p'});
is(counted($node, $session), 48, 'and after ROLLBACK PREPARED');

# -- a session of a transaction that goes on ------------------------------------
$app->query_safe("BEGIN;");
my $unborn = $app->query_safe("SELECT sync.sync_session_start('alice', 'quick');");
($unborn) = $unborn =~ /(\d+)/;
$app->query_safe("SELECT sync.sync_progress_increment($unborn, 9);");
flush($node) for 1 .. 3;
$app->query_safe("COMMIT;");
ok($listener->wait_for("quick:$unborn", sub { $_->{data}{processed_count} == 9 }), 'counted live in the transaction that makes the session, looked for by the worker meanwhile, told after its commit');
$app->quit;

# -- both modes at once ----------------------------------------------------------
# Each live transaction adds 10 to the session (3 of it to the account), each
# plain one adds 4 (2 to the account); workers are terminated all the while.
my $both = sql(q{SELECT sync.sync_session_start('alice', 'quick', accounts => '[{"name":"part"}]')});
my $part = sql("SELECT id FROM sync.sync_session_accounts WHERE sync_session_id = $both");
my @clients = ('-c', 8, '-j', 2, '-t', 150, '-D', "s=$both", '-D', "a=$part");
my $live_script = script(q{
BEGIN;
SELECT sync.sync_progress_increment(:s, 5);
SAVEPOINT a;
SELECT sync.sync_progress_increment(:s, 3, 'processed', :a);
ROLLBACK TO a;
SELECT sync.sync_progress_increment_many(:s, '{"processed":2,"x.y":1,"detected":1}');
ROLLBACK;
});
my $plain_script = script(q{
BEGIN;
SELECT sync.sync_progress_increment(:s, 2);
SAVEPOINT a;
SELECT sync.sync_progress_increment(:s, 1000);
ROLLBACK TO a;
SELECT sync.sync_progress_increment_many(:s, '{"processed":2,"x.y":1,"error":1}', :a);
COMMIT;
});
my $plain_bench = pgbench_start($node, @clients, '-f', $plain_script);
my $live_bench = do { local $ENV{PGOPTIONS} = '-c sync_progress.mode=live'; pgbench_start($node, @clients, '-f', $live_script) };
my $terminated = 0;
while ($plain_bench->{run}->pumpable || $live_bench->{run}->pumpable)
{
	# One that is at work: where one ends before it is, calls count in the other
	# mode until the next one, and what is rolled back below is not counted.
	my $worker = worker_at_work($node);
	$terminated += sql("SELECT pg_terminate_backend($worker)") eq 't' if $worker =~ /^\d+$/;
	for my $bench ($plain_bench, $live_bench) { $bench->{run}->pump_nb if $bench->{run}->pumpable; }
	sql('SELECT pg_sleep(0.05)');
}
$_->{run}->finish for $plain_bench, $live_bench;
like($plain_bench->{out}, qr/actually processed: 1200\/1200/, '8 clients count in transactions');
like($live_bench->{out}, qr/actually processed: 1200\/1200/, '8 clients count live and roll back');
cmp_ok($terminated, '>', 0, 'workers are terminated meanwhile');
my $exact = 1200 * (5 + 3 + 2) + 1200 * (2 + 2);
is(sql("SELECT processed_count FROM sync.sync_progress($both)"), $exact, '[001-05] the sum is exact at once');
flush($node);
is(sql("SELECT concat_ws(' ', processed_count, detected_count, error_count, counters) FROM sync.sync_sessions WHERE id = $both"),
	qq($exact 1200 1200 {"x.y": 2400}), '[001-10] and in the table, in every field');
is(sql("SELECT concat_ws(' ', processed_count, error_count) FROM sync.sync_session_accounts WHERE id = $part"), 1200 * (3 + 2) . ' 1200', 'and on the account');
my $last = $listener->wait_for("quick:$both", sub { $_->{data}{processed_count} == $exact });
ok($last, 'and told');

# -- no room ---------------------------------------------------------------------
my @many = split /\n/, sql(q{SELECT sync.sync_session_start('many', 'quick', source_id => 'm' || n) FROM generate_series(1, 60) AS n});
my ($out, $err);
my $fallbacks_before = sql('SELECT live_fallbacks FROM sync.pg_stat_sync_progress');
$node->psql('postgres', 'SET sync_progress.mode = live; BEGIN;'
	  . join('', map { "SELECT sync.sync_progress_increment($_, 1);" } @many) . 'SELECT sync.sync_progress_increment(' . $many[-1] . ', 1, \'detected\');ROLLBACK', stdout => \$out, stderr => \$err);
my @warnings = $err =~ /WARNING:\s+sync_progress cannot count live/g;
is(scalar(@warnings), 1, 'more sessions than counters: one warning');
like($err, qr/HINT:.*max_live_counters/, 'which says what to do');
my ($used, $fallbacks) = split /\|/, sql('SELECT live_counters, live_fallbacks FROM sync.pg_stat_sync_progress');
is($used, 40, 'all counters are in use');
$fallbacks -= $fallbacks_before;
cmp_ok($fallbacks, '>', 0, 'calls that found none are counted in the statistics');
my $counted = sql(q{SELECT sum(processed_count) FROM sync.sync_progress WHERE owner_id = 'many'});
is($counted + $fallbacks, 61, 'and went with their transaction; the others stayed');
sql('SET sync_progress.mode = live;' . join(';', map { "SELECT sync.sync_progress_increment($_, 1)" } @many));
flush($node);
is(sql(q{SELECT sum(processed_count) FROM sync.sync_sessions WHERE owner_id = 'many'}), $counted + 60, 'every one is counted, in one way or the other');

# -- and room again ----------------------------------------------------------------
sql(q{DELETE FROM sync.sync_sessions WHERE owner_id = 'many'});
ok(wait_until(sub { flush($node); sql('SELECT live_counters FROM sync.pg_stat_sync_progress') < 20 }, 'free counters'), 'counters of deleted sessions are free again');
sql("SELECT sync.sync_session_complete($_)") for $both, $session;
my $old = $node->background_psql('postgres');
$old->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT processed_count FROM sync.sync_progress($both);");
live($both, 1);
flush($node);
ok(wait_until(sub { flush($node); sql('SELECT live_counters FROM sync.pg_stat_sync_progress') <= 8 }, 'free counters', 60), 'and those of ended ones after a while');
is($old->query_safe("SELECT processed_count FROM sync.sync_progress($both);") =~ /(\d+)/ && $1, $exact + 1, 'but not while a snapshot needs them to be exact');
$old->quit;

# -- the extension goes and comes ---------------------------------------------------
live($rare, 100);
sql('DROP EXTENSION sync_progress CASCADE; CREATE EXTENSION sync_progress SCHEMA sync');
my $fresh = new_session($node);
is(live($fresh, 2), 'processing', 'the extension is dropped and made again: counted live');
is(counted($node, $fresh), 2, 'from zero');
ok(wait_until(sub { sql('SELECT live_counters FROM sync.pg_stat_sync_progress') == 1 }, 'one counter'), 'in the new one only');

# -- nobody to write it ---------------------------------------------------------------
sql($_) for 'ALTER SYSTEM SET max_worker_processes = 1', 'ALTER SYSTEM SET max_logical_replication_workers = 0';	# one, for the launcher
$listener->quit;
$node->restart;
sql("SELECT sync.sync_progress_increment($fresh, 1)");
ok(wait_until(sub { slurp_file($node->logfile) =~ /no free background worker slot/ }, 'the warning'), 'no process for a worker');
$node->psql('postgres', "SET sync_progress.mode = live; SELECT sync.sync_progress_increment($fresh, 4)", stderr => \$err);
like($err, qr/WARNING.*\n.*No worker is there/, 'then a live call says that it counts at commit');
$node->stop('immediate');
$node->append_conf('postgresql.conf', '');
sub start_with_workers { unlink $node->data_dir . '/postgresql.auto.conf'; $node->start; return; }
start_with_workers();
is(counted($node, $fresh), 7, 'so that not even a crash loses it');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
