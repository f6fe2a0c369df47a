# Live mode when the server or a part of it ends: a clean end loses nothing, a
# crash at most what was counted since the last flush.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('livecrash', conf => q{
sync_progress.flush_interval = 1min
max_prepared_transactions = 5
});
my $script = script("SELECT sync.sync_progress_increment(:s);\n");

# told once, and then not for an hour: nothing is written but by a flush
sub rare
{
	my ($db) = @_;
	$node->safe_psql($db // 'postgres', q{
		INSERT INTO sync.sync_kinds (kind, channel, param, every_count, min_interval, every_interval, payload_function, authorize_function)
		SELECT 'rare', 'RareChannel', 'id', 1000000000, '1 hour', '1 hour', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
	return;
}
rare();

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A session whose first increment is told, so that the next wait for a flush.
sub quiet_session
{
	my $session = new_session($node, "kind => 'rare'");
	sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($session)");
	wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session") == 1 }, 'the first');
	return $session;
}

sub live { return sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($_[0], $_[1])"); }

# pgbench that counts live until it is cut off; logs each increment's time.
sub load
{
	my ($session, @more) = @_;
	local $ENV{PGOPTIONS} = '-c sync_progress.mode=live';
	return pgbench_start($node, '-c', 8, '-j', 2, '-D', "s=$session", '-f', $script, @more);
}

sub acknowledged { return $_[0]->{out} =~ /^number of transactions actually processed: (\d+)/m ? $1 : 0; }

# -- the worker ends -------------------------------------------------------------
my $session = quiet_session();
live($session, 9);
is(sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session"), 1, 'counted live, and not written yet');
my $worker = wait_for_worker($node);
sql("SELECT pg_terminate_backend($worker)");
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session") == 10 }, 'the flush'), 'a worker that is terminated writes it');
wait_for_worker($node, 'postgres', $worker);
is(counted($node, $session), 10, 'and the next one does not count it again');

# -- the server is stopped --------------------------------------------------------
for my $mode (qw(smart fast))
{
	my $stopped = quiet_session();
	my $bench = load($stopped, '-t', 200);
	if ($mode eq 'smart') { $bench->{run}->finish; }
	else { wait_until(sub { sql("SELECT processed_count FROM sync.sync_progress($stopped)") > 200 }, 'the load'); }
	$node->stop($mode);
	$bench->{run}->finish;
	my $acknowledged = acknowledged($bench) + 1;
	$node->start;
	my $count = sql("SELECT processed_count FROM sync.sync_progress($stopped)");
	cmp_ok($count, '>=', $acknowledged, "stopped ($mode) while 8 clients count live: nothing is lost");
	cmp_ok($count, '<=', $acknowledged + ($mode eq 'smart' ? 0 : 8), 'nor counted twice') or diag("$count, acknowledged $acknowledged");
}

# who holds the session locked is ended, too
my $locked = quiet_session();
my $app = $node->background_psql('postgres');
$app->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $locked FOR UPDATE;");
live($locked, 6);
$node->stop('fast');
eval { $app->quit };
$node->start;
is(counted($node, $locked), 7, 'a session that a client has locked: its count is written when the client is gone');

# -- there is no worker ---------------------------------------------------------------
my $row = "SELECT processed_count FROM sync.sync_sessions WHERE id =";
my $gone = quiet_session();
live($gone, 5);
my $launcher = end_worker($node);
is(sql("$row $gone"), 6, 'the worker was terminated: it has written what it had');
live($gone, 7);
ok(wait_until(sub { sql("$row $gone") == 13 }, 'the flush'), 'who counts while there is no worker writes it when it ends, stop or no stop');

# It counts with what others have made.  This was lost: it was not among those
# who flush at their end, if the session's status was known before its first call.
my $holder = $node->background_psql('postgres');
$holder->query_safe("SET sync_progress.mode = live; SELECT count(sync.sync_progress_increment($gone)) FROM generate_series(1, 50);");
is(sql("$row $gone"), 13, 'a client has counted, and is still there');
stop_without_worker($node, $launcher);
eval { $holder->quit };
$node->start;
is(counted($node, $gone), 63, 'a stop while there is no worker: the client that counted writes it');

# many end at once, and while a worker ends: one of them writes for all
my $many = quiet_session();
$launcher = end_worker($node);
my $crowd = load($many, '-T', 60);
wait_until(sub { sql("SELECT processed_count FROM sync.sync_progress($many)") > 500 }, 'the load');
stop_without_worker($node, $launcher);
$crowd->{run}->finish;
$node->start;
my $crowded = acknowledged($crowd) + 1;
cmp_ok(counted($node, $many), '>=', $crowded, 'a stop while there is no worker and 8 clients count: nothing is lost');
cmp_ok(counted($node, $many), '<=', $crowded + 8, 'nor counted twice');

# connections come and go, and so do workers, until the server stops
my $churn = quiet_session();
my @benches = (load($churn, '-T', 60, '-C'), load($churn, '-T', 60, '-R', 500));
for my $round (1 .. 5)
{
	my $at = $round * 150;
	wait_until(sub { sql("SELECT processed_count FROM sync.sync_progress($churn)") > $at }, 'the load');
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sync_progress worker'");
}
$node->stop('fast');
$_->{run}->finish for @benches;
$node->start;
my $churned = 1;
$churned += acknowledged($_) for @benches;
my $there = counted($node, $churn);
cmp_ok($there, '>=', $churned, 'clients come and go, their workers end, the server stops: nothing is lost');
cmp_ok($there, '<=', $churned + 16, 'nor counted twice');

# a worker that has just gone is missed by the stop
$gone = quiet_session();
$holder = $node->background_psql('postgres');
$worker = wait_for_worker($node);
$holder->query_safe("SET sync_progress.mode = live; SELECT pg_terminate_backend($worker); SELECT count(sync.sync_progress_increment($gone)) FROM generate_series(1, 50);");
$node->stop('fast');
eval { $holder->quit };
$node->start;
is(counted($node, $gone), 51, 'the worker was terminated right before a stop: nothing is lost');

# absolute values and live counts, both waiting in the ledger and in memory
my $set = quiet_session();
sql("SET sync_progress.mode = live; SELECT sync.sync_progress_set($set, 100), sync.sync_progress_increment($set, 5)");
$node->restart;
is(counted($node, $set), 105, 'what adds to an absolute value that is not folded yet still does after a restart');

# -- crashes ------------------------------------------------------------------------
# What was acknowledged longer ago than flush_interval and a turn must be there.
# A turn: half a second, on a machine that does other things as well.
my $turn = 0.5;
sql(q{ALTER SYSTEM SET sync_progress.flush_interval = '500ms'});
$node->reload;
for my $round (1 .. 6)
{
	my $how = (qw(postmaster immediate backend))[$round % 3];
	my $crashed = quiet_session();
	my $prefix = "$ENV{TESTDIR}/live-$round";
	my $bench = load($crashed, '-T', 60, '-R', 2000, '--log', "--log-prefix=$prefix");

	wait_until(sub { sql("SELECT processed_count FROM sync.sync_progress($crashed)") > 3000 + 500 * $round }, 'the load');
	my $at = time;
	if ($how eq 'postmaster') { $node->kill9; }
	elsif ($how eq 'immediate') { $node->stop('immediate'); }
	else { kill 'KILL', sql("SELECT min(pid) FROM pg_stat_activity WHERE query LIKE '%sync_progress_increment($crashed)%' AND pid <> pg_backend_pid()"); }
	$bench->{run}->finish;
	# the fifth and sixth fields of a line: when it was acknowledged, in seconds and microseconds
	my @times = map { my @f = split; $f[4] + $f[5] / 1e6 } map { split /\n/, slurp_file($_) } glob "$prefix.*";
	$how eq 'backend' ? wait_until(sub { accepts_connections($node) }, 'recovery') : start_after_kill($node);
	my $count = counted($node, $crashed) - 1;
	my $acknowledged = scalar @times;
	my $late = grep { $_ > $at - 0.5 - $turn } @times;
	note("$how: $acknowledged acknowledged, $count there; " . ($acknowledged - $count) . " lost, $late in the last flush_interval and turn");
	cmp_ok($acknowledged, '>', 1000, "crash ($how): 8 clients count live");
	cmp_ok($acknowledged - $count, '<=', $late, 'at most what was counted in the last flush_interval and turn is lost');
	cmp_ok($count, '<=', $acknowledged + 8, 'and nothing is counted twice');
}

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:/, 'no panic');
done_testing();
