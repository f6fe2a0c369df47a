# Nothing committed is lost: killed backends, a killed postmaster, terminated
# workers, restarts.  "completed" always arrives.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('crash');
my $increment = script("SELECT sync.sync_progress_increment(:s);\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The state as a watcher who (re)connects gets it.
sub watched
{
	my ($session) = @_;
	return sql("SELECT payload ->> 'processed_count' || ' ' || (payload ->> 'status') || coalesce(' ' || (payload ->> 'progress_percentage') || '%', '')
		FROM sync.sync_progress_snapshots('{sync:$session}')");
}

# -- the worker is terminated -------------------------------------------------
my $session = new_session($node, 'total_count => 100');
my $worker = wait_for_worker($node);
my $listener = SyncProgress::Listener->new($node);
increment($node, $session, 60);
sql("SELECT sync.sync_progress_increment($session, 40); SELECT pg_terminate_backend($worker); SELECT sync.sync_session_complete($session);");
my $last = $listener->wait_for("sync:$session", sub { $_->{final} && $_->{data}{processed_count} == 100 });
ok($last, '[000-05] the worker is terminated between increments and completed: completed arrives');
is($last && "$last->{data}{status} $last->{data}{progress_percentage}", 'completed 100', 'at 100 %');
my $second = wait_for_worker($node, 'postgres', $worker);
isnt($second, $worker, 'by another worker');
is($last && $last->{pid}, $second, 'which has told it');

# Terminated over and over, at any moment: whatever it was doing.
my @many = map { new_session($node, 'total_count => 20') } 1 .. 10;
for my $round (1 .. 10)
{
	increment($node, $_, 2) for @many;
	my $pid = worker_pid($node);
	sql("SELECT pg_terminate_backend($pid)") if $pid =~ /^\d+$/;
}
sql("SELECT sync.sync_session_complete($_)") for @many;
my @arrived = grep { $listener->wait_for("sync:$_", sub { $_->{final} && $_->{data}{processed_count} == 20 }) } @many;
is(scalar(@arrived), 10, 'terminated ten times in a row: ten of ten completed arrive, at 20 of 20');
is(sql('SELECT string_agg(DISTINCT processed_count::text, \',\') FROM sync.sync_sessions WHERE id IN (' . join(',', @many) . ')'), '20', 'nothing is counted twice');

# A worker that has just begun tells every run that has not ended, or only just.
my $open = new_session($node, 'total_count => 10');
increment($node, $open, 4);
flush($node);
$listener->forget;
$worker = wait_for_worker($node);
sql("SELECT pg_terminate_backend($worker)");
my $again = $listener->wait_for("sync:$open", sub { $_->{pid} != $worker });
is($again && $again->{data}{processed_count}, 4, 'a new worker tells runs that have not ended again');
ok($listener->wait_for("sync:$session", sub { $_->{final} && $_->{pid} != $worker }), '[000-29] and those that ended in the last ten minutes');

# -- a backend is killed ------------------------------------------------------
my $hot = new_session($node);
my $bench = pgbench_start($node, '-c', 16, '-j', 2, '-T', 60, '-D', "s=$hot", '-f', $increment);
wait_until(sub { sql("SELECT processed_count FROM sync.sync_progress($hot)") > 500 }, 'the load');
my $victim = sql("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%sync_progress_increment($hot)%' LIMIT 1");
kill 'KILL', $victim;
$bench->{run}->finish;
$listener->quit;
my ($acknowledged) = $bench->{out} =~ /^number of transactions actually processed: (\d+)/m;
cmp_ok($acknowledged, '>', 500, '16 clients increment while a backend is killed with SIGKILL');
ok(wait_until(sub { accepts_connections($node) }, 'recovery'), 'the server recovers');
my $count = sql("SELECT processed_count FROM sync.sync_progress($hot)");
cmp_ok($count, '>=', $acknowledged, 'every acknowledged increment is there');
cmp_ok($count, '<=', $acknowledged + 16, 'plus at most those in flight') or diag("$count, acknowledged $acknowledged");
ok(wait_until(sub { watched($hot) eq "$count processing" }, 'the fold'), '[000-05] it is folded with nobody calling anything, and a watcher who reconnects sees it');

# -- the postmaster is killed -------------------------------------------------
$hot = new_session($node);
$bench = pgbench_start($node, '-c', 16, '-j', 2, '-T', 60, '-D', "s=$hot", '-f', $increment);
wait_until(sub { sql("SELECT processed_count FROM sync.sync_progress($hot)") > 500 }, 'the load');
$node->kill9;
$bench->{run}->finish;
($acknowledged) = $bench->{out} =~ /^number of transactions actually processed: (\d+)/m;
ok(start_after_kill($node), 'the postmaster is killed with SIGKILL while 16 clients increment, and started again');
$count = sql("SELECT processed_count FROM sync.sync_progress($hot)");
cmp_ok($count, '>=', $acknowledged, 'every acknowledged increment is there');
cmp_ok($count, '<=', $acknowledged + 16, 'plus at most those in flight') or diag("$count, acknowledged $acknowledged");
ok(wait_until(sub { watched($hot) eq "$count processing" }, 'the fold'), 'a watcher who reconnects sees it');
is(counted($node, $hot), $count, 'and it is counted once');

# -- the database is restarted ------------------------------------------------
for my $mode (qw(fast immediate))
{
	# held by an application, so that it cannot have been folded or told before
	my $restarted = new_session($node, 'total_count => 100');
	my $app = $node->background_psql('postgres');
	increment($node, $restarted, 30);
	flush($node);
	$app->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $restarted FOR UPDATE;");
	increment($node, $restarted, 70);
	my $version = sql("SELECT version FROM sync.sync_sessions WHERE id = $restarted");
	$node->stop($mode);
	eval { $app->quit };
	$node->start;
	ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $restarted") == 100 }, 'the fold'),
		"after a restart ($mode) increments not folded before are folded, with nobody calling anything");
	cmp_ok(sql("SELECT version FROM sync.sync_sessions WHERE id = $restarted"), '>', $version, 'at a newer version');
	$listener = SyncProgress::Listener->new($node);
	sql("SELECT sync.sync_session_complete($restarted)");
	$last = $listener->wait_for("sync:$restarted", sub { $_->{final} });
	is($last && "$last->{data}{processed_count} $last->{data}{progress_percentage}", '100 100', "completed arrives, at 100 %");

	# completed just before the end
	my $completed = new_session($node, 'total_count => 5');
	sql("SELECT sync.sync_progress_increment($completed, 5); SELECT sync.sync_session_complete($completed);");
	$node->stop($mode);
	$listener->quit;
	$node->start;
	ok(wait_until(sub { watched($completed) eq '5 completed 100%' }, 'the state'), "[000-21] completed right before a restart ($mode): a watcher who reconnects gets it, at 100 %");
	$listener = SyncProgress::Listener->new($node);
	$worker = wait_for_worker($node);
	sql("SELECT pg_terminate_backend($worker)");
	$last = $listener->wait_for("sync:$completed", sub { $_->{final} && $_->{pid} != $worker });
	is($last && $last->{data}{progress_percentage}, 100, 'and whoever listens is told again by the next worker');
	$listener->quit;
}

done_testing();
