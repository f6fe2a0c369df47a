# What is told, and how often: the throttle's promises, and the messages.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use List::Util qw(max min);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_cluster('notify');
quick_kind($node, '50 milliseconds', '100 milliseconds');
my $fence = new_session($node, "kind => 'quick'");
my $worker = wait_for_worker($node);
my $listener = SyncProgress::Listener->new($node);

# The median of so many times, and all of them.  A machine that does other things
# may delay any: if it is not below the limit they are taken again, thrice at most.
sub median
{
	my ($count, $limit, $measure) = @_;
	my @times;
	for my $attempt (1 .. 3)
	{
		@times = sort { $a <=> $b } map { $measure->() } 1 .. $count;
		last if $times[ $count / 2 ] < $limit;
	}
	return ($times[ $count / 2 ], "@times");
}

# Two sessions of the default kind, so that their waits overlap.
my $one = new_session($node, 'total_count => 10');
my $ten = new_session($node, 'total_count => 10');
ok($listener->wait_for("sync:$_", sub { 1 }), 'a new session is told') for $one, $ten;
$listener->settle($node, $fence);
$listener->forget;
$node->safe_psql('postgres', "BEGIN; " . "SELECT sync.sync_progress_increment($one); " x 10 . "COMMIT;");
$node->safe_psql('postgres', "SELECT sync.sync_progress_increment($ten);\n" x 10);
ok($listener->wait_for("sync:$_", sub { $_->{data}{processed_count} == 10 }), 'all ten are told') for $one, $ten;
$listener->settle($node, $fence);
is(scalar($listener->of("sync:$one")), 1, '[001-15] 10 increments in one transaction: 1 message');
my @told = $listener->of("sync:$ten");
cmp_ok(scalar(@told), '<=', 2, '10 increments in 10 transactions: at most 2 messages');
is($told[-1]{data}{processed_count}, 10, '[001-09] the last says 10');

# the message
my $message = $told[-1];
is_deeply([ sort grep { !/^(channel|pid|bytes|raw)$/ } keys %$message ], [qw(data emitted_at final owner stream type version)], 'a message has these keys');
is($message->{pid}, $worker, '[001-08] it is sent by the worker');
is($message->{channel}, 'sync_progress', 'on channel sync_progress');
is("$message->{type} $message->{owner}", 'progress alice', 'type and owner');
ok(!$message->{final}, 'not final: the run goes on');
like($message->{raw}, qr/"emitted_at":\d{10}\.\d{6}[,}]/, 'emitted_at is epoch seconds with microseconds');
is($message->{data}{version}, $message->{version}, 'data is of that version');
is($message->{version}, $node->safe_psql('postgres', "SELECT version FROM sync.sync_sessions WHERE id = $ten"), 'which is the table\'s');

# changes of status are told at once
my $status = new_session($node, 'total_count => 100');
ok($listener->wait_for("sync:$status", sub { 1 }), 'started');
my ($turn, $told_at) = (0, 0);
my ($delay, $delays) = median(5, 0.3, sub {
	$turn++;
	# five a second is what may be told of it
	wait_until(sub { time > $told_at + 0.25 }, 'its turn');
	$node->safe_psql('postgres', "SELECT sync.sync_progress_increment($status)");
	$listener->settle($node, $fence);
	my $committed = $node->safe_psql('postgres', "SELECT sync.sync_session_pause($status, 'p$turn'); SELECT extract(epoch FROM clock_timestamp())") =~ s/^paused\n//r;
	my $heard = $listener->wait_for("sync:$status", sub { ($_->{data}{message} // '') eq "p$turn" });
	$node->safe_psql('postgres', "SELECT sync.sync_session_resume($status, 'r$turn')");
	my $resumed = $listener->wait_for("sync:$status", sub { ($_->{data}{message} // '') eq "r$turn" });
	$told_at = $resumed ? $resumed->{emitted_at} : time;
	return $heard ? $heard->{emitted_at} - $committed : 99;
});
note("a change of status: $delays");
cmp_ok($delay, '<', 0.3, '[001-09] a change of status is told at once, right after progress was') or diag($delays);
my $flapping = new_session($node);
$listener->wait_for("sync:$flapping", sub { 1 });
$listener->settle($node, $fence);
my $before = $listener->of("sync:$flapping");
my $start = time;
$node->safe_psql('postgres', "SELECT sync.sync_session_pause($flapping), sync.sync_session_resume($flapping);\n" x 300);
my $flapped = time - $start;
$node->safe_psql('postgres', "SELECT sync.sync_session_cancel($flapping, 'enough')");
ok($listener->wait_for("sync:$flapping", sub { $_->{data}{status} eq 'cancelled' && $_->{final} }), '[001-09] of 600 changes the last one arrives, final');
cmp_ok($listener->of("sync:$flapping") - $before, '<=', 5 * ($flapped + 1) + 2, 'and at most five a second are told') or diag("in $flapped s");

# the same for an error message
my $erring = new_session($node);
$listener->settle($node, $fence);
$node->safe_psql('postgres', "SELECT sync.sync_session_fail($erring, 'no route')");
my $failed = $listener->wait_for("sync:$erring", sub { $_->{data}{status} eq 'failed' });
is($failed && $failed->{data}{error_message}, 'no route', '[000-06] a failure is told with its message');

# a session incremented 1,000 times a second for 10 s
sub busy_start
{
	my $session = new_session($node, 'total_count => 10000');
	return ($session, pgbench_start($node, '-c', 2, '-R', 1000, '-T', 10, '-D', "s=$session", '-f', script("SELECT sync.sync_progress_increment(:s);\n")));
}
my ($busy, $bench) = busy_start();

# meanwhile, on others: too large for a NOTIFY
my $large = $node->safe_psql('postgres', q{SELECT sync.sync_session_start('large', accounts =>
	(SELECT jsonb_agg(jsonb_build_object('name', 'account number ' || n, 'total_count', 10)) FROM generate_series(1, 100) AS n))});
my $hint = $listener->wait_for("sync:$large", sub { 1 });
ok($hint && $hint->{raw} !~ /"data":/, 'a state too large for a message is announced without data');
is($hint && $hint->{version}, $node->safe_psql('postgres', "SELECT version FROM sync.sync_progress_snapshots('{sync:$large}')"), 'with the version that a snapshot has');
is($node->safe_psql('postgres', "SELECT json_array_length(payload -> 'accounts') FROM sync.sync_progress_snapshots('{sync:$large}')"), 100, 'the snapshot is complete');
my $foreign = $node->safe_psql('postgres', q{SELECT sync.sync_session_start(E'Žofie "ž" \\\\ \t', title => repeat('é"\\', 150))});
my $odd = $listener->wait_for("sync:$foreign", sub { 1 });
is($odd && $odd->{owner}, "\x{17d}ofie \"\x{17e}\" \\ \t", 'owners are escaped');
is($odd && $odd->{data}{title}, "\x{e9}\"\\" x 150, '[000-35] and so are titles');

# first increment after quiet
my $quiet = new_session($node, "kind => 'quick'");
my $heard = $listener->wait_for("quick:$quiet", sub { 1 });
my $n = 0;
my ($latency, $latencies) = median(9, 0.05, sub {
	wait_until(sub { time > $heard->{emitted_at} + 0.15 }, 'quiet');
	$n++;
	my $committed = $node->safe_psql('postgres', "SELECT sync.sync_progress_increment($quiet); SELECT extract(epoch FROM clock_timestamp())") =~ s/^processing\n//r;
	$heard = $listener->wait_for("quick:$quiet", sub { $_->{data}{processed_count} == $n }) or die "increment $n after quiet was not told";
	return $heard->{emitted_at} - $committed;
});
note("after quiet: $latencies");
cmp_ok($latency, '<', 0.05, '[000-32] every first increment after quiet is told at once, not at the next sweep') or diag($latencies);

# back to the busy one.  Where the machine cannot keep up with a thousand a
# second, or has the worker wait for its turn at a processor, another is counted.
my ($done, @progress);
for my $attempt (1 .. 3)
{
	ok($bench->{run}->finish, 'a session is incremented 1,000 times a second for 10 s') or diag($bench->{err});
	($done) = $bench->{out} =~ /^number of transactions actually processed: (\d+)/m;
	ok($listener->wait_for("sync:$busy", sub { $_->{data}{processed_count} == $done }), '[001-09] its last value is told');
	$listener->settle($node, $fence);
	@progress = grep { $_->{data}{processed_count} > 0 } $listener->of("sync:$busy");
	cmp_ok(scalar(@progress), '<=', 12, '[001-07] at most 12 messages') or diag(join ' ', map { $_->{data}{processed_count} } @progress);
	is($progress[-1]{data}{processed_count}, $node->safe_psql('postgres', "SELECT processed_count FROM sync.sync_sessions WHERE id = $busy"), '[001-09] the last equals the table');
	cmp_ok(min(map { $progress[$_]{emitted_at} - $progress[ $_ - 1 ]{emitted_at} } 1 .. $#progress), '>=', 0.95, '[001-07] a second apart, or more');
	cmp_ok(max(map { $progress[$_]{emitted_at} - $progress[ $_ - 1 ]{emitted_at} } 1 .. $#progress), '<=', 5.5, '[000-02] five seconds at most');
	last if ($done > 8000 && @progress >= 10) || $attempt == 3;
	($busy, $bench) = busy_start();
}
cmp_ok($done, '>', 8000, 'about as often');
cmp_ok(scalar(@progress), '>=', 10, 'and at least 10 messages') or diag(join ' ', map { $_->{data}{processed_count} } @progress);

# of all that was heard
my (%version, $backward, $less, %count);
for my $m ($listener->all)
{
	$backward++ if $m->{version} <= ($version{ $m->{stream} } // 0);
	$version{ $m->{stream} } = $m->{version};
	next unless $m->{data};
	$less++ if $m->{data}{processed_count} < ($count{ $m->{stream} } // 0);
	$count{ $m->{stream} } = $m->{data}{processed_count};
}
is($backward, undef, 'versions of a stream only grow');
is($less, undef, 'and nothing is ever told that is less than before');
is((grep { $_->{pid} != $worker } $listener->all), 0, '[001-08] nobody but the worker sends notifications');
cmp_ok(max(map { $_->{bytes} } $listener->all), '<=', 7999, 'no message is longer than 7,999 bytes');
cmp_ok($node->safe_psql('postgres', 'SELECT suppressed FROM sync.pg_stat_sync_progress'), '>', 0, 'the throttle counts what it held back');
is($node->safe_psql('postgres', 'SELECT last_error FROM sync.pg_stat_sync_progress'), '', 'the worker had no error');

$listener->quit;
done_testing();
