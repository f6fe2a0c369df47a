# What is told when a kind's settings say so and not before, by how many, what
# does not wait for them; who hears it, and on which stream; what an open
# transaction that counts keeps others from.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use List::Util qw(min);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('requirements');
quick_kind($node, '50 milliseconds', '100 milliseconds');
sub sql { return $node->safe_psql('postgres', $_[0]); }

# Kinds by count alone, and one by time alone.
for my $kind ([ 'ten', 10, '10 ms', '1 hour' ], [ 'hundred', 100, '10 ms', '1 hour' ], [ 'timely', 1_000_000, '10 ms', '400 ms' ])
{
	sql(qq{INSERT INTO sync.sync_kinds (kind, channel, param, every_count, min_interval, every_interval, stall_after, payload_function, authorize_function)
		SELECT '$kind->[0]', '$kind->[0]', 'id', $kind->[1], '$kind->[2]', '$kind->[3]', '1 hour', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
}
my $fence = new_session($node, "kind => 'quick'");
wait_for_worker($node);
# what was told by now is told to neither
flush($node);
my ($listener, $second) = map { SyncProgress::Listener->new($node) } 1 .. 2;
my $fenced = 0;

# Hears an increment of a session that is told at once: what was due before it
# has been told, too.  (Unlike settle(), which has the worker tell everything.)
sub fence
{
	increment($node, $fence, 1);
	$fenced++;
	return $listener->wait_for("quick:$fence", sub { $_->{data}{processed_count} == $fenced });
}

# A session whose progress has just been told, so that its next waits for its
# turn.  (A count that no turn waits for is what was told: "detected".)
sub just_told
{
	my ($kind, $arguments) = @_;
	my $session = new_session($node, "kind => '$kind'" . ($arguments ? ", $arguments" : ''));
	sql("SELECT sync.sync_progress_increment($session, 1, 'detected')");
	$listener->wait_for("$kind:$session", sub { $_->{data}{detected_count} == 1 }) or die "$session was not told";
	fence();
	return $session;
}

# What was told of a session from then on.
sub after
{
	my @messages = grep { $_->{data}{detected_count} == 1 } $listener->of($_[0]);
	return @messages[ 1 .. $#messages ];
}

sub counts { return join ' ', map { $_->{data}{processed_count} } after($_[0]); }

# -- by count -----------------------------------------------------------------
my $one_by_one = "SELECT sync.sync_progress_increment(%s);\n";
my $hundred = just_told('hundred', 'total_count => 1000');
sql(sprintf($one_by_one, $hundred) x 99);
ok(fence(), 'others are told');
is(counts("hundred:$hundred"), '', '[000-02] [001-02] 99 of every_count 100: not told');
sql(sprintf $one_by_one, $hundred);
ok($listener->wait_for("hundred:$hundred", sub { $_->{data}{processed_count} == 100 }), '[000-02] [001-02] the hundredth is');
for my $batch (2 .. 5)
{
	sql(sprintf($one_by_one, $hundred) x 99);
	fence();
	sql(sprintf $one_by_one, $hundred);
	ok($listener->wait_for("hundred:$hundred", sub { $_->{data}{processed_count} == 100 * $batch }), "[001-02] and so is each hundred: $batch");
}
is(counts("hundred:$hundred"), '100 200 300 400 500', '[001-02] those, and no others');
my ($message) = $listener->wait_for("hundred:$hundred", sub { $_->{data}{processed_count} == 400 });
is(join(' ', map { "$_=$message->{data}{$_}" } qw(progress_percentage processed_count total_count)), 'progress_percentage=40 processed_count=400 total_count=1000', '[001-03] with percentage, count and total');
like($message->{raw}, qr/"time_remaining":\d+,/, '[001-03] and the time remaining');

my $ten = just_told('ten');
sql(sprintf($one_by_one, $ten) x 10);
ok($listener->wait_for("ten:$ten", sub { $_->{data}{processed_count} == 10 }), 'ten calls are told');
fence();
is(counts("ten:$ten"), '10', '[001-15] in exactly one message');

# -- the batch's end, and what does not wait for any throttle -------------------
for my $end ([ 'complete', 'completed', 't' ], [ 'fail', 'failed', 't', ", 'no route'" ], [ 'cancel', 'cancelled', 't' ], [ 'pause', 'paused', 'f' ])
{
	my ($verb, $status, $final, $more) = @$end;
	my $session = just_told('hundred', 'total_count => 137');
	sql("SELECT sync.sync_progress_increment($session, 100)");
	$listener->wait_for("hundred:$session", sub { $_->{data}{processed_count} == 100 });
	sql("SELECT sync.sync_progress_increment($session, 37)");
	fence();
	is(counts("hundred:$session"), '100', "the last 37 wait: $verb");
	sql("SELECT sync.sync_session_$verb($session" . ($more // '') . ')');
	my $last = $listener->wait_for("hundred:$session", sub { $_->{data}{status} eq $status });
	is($last && "$last->{data}{processed_count} " . ($last->{final} ? 't' : 'f'), "137 $final", "[001-02] [001-09] until the run is $status: told at once, with all of them");
}
my $parts = just_told('hundred', q{accounts => '[{"name":"a","total_count":5},{"name":"b","total_count":5}]'});
my $part = sql("SELECT min(id) FROM sync.sync_session_accounts WHERE sync_session_id = $parts");
sql("SELECT sync.sync_session_fail($parts, 'no login', $part)");
my $failed = $listener->wait_for("hundred:$parts", sub { $_->{data}{accounts}[0]{status} eq 'failed' });
is($failed && "$failed->{data}{accounts}[0]{error_message}, $failed->{data}{accounts}[1]{status}, $failed->{data}{status}", 'no login, pending, processing', '[000-06] an account that fails is told at once, with its error');

my $connection = new_session($node, "kind => 'connection', source_id => 'c'");
sql("SELECT sync.sync_progress_increment_many($connection, '{\"inserted\":3,\"entities_encountered.Message\":3}')");
sql("SELECT sync.sync_session_fail($connection, 'token revoked')");
$failed = $listener->wait_for('connection:c', sub { $_->{final} });
is($failed && join(' ', map { "$_=$failed->{data}{$_}" } qw(inserted is_complete is_failed error)), 'inserted=3 is_complete=0 is_failed=1 error=token revoked', '[003-05] [003-13] a connection\'s sync that fails says so, and why');

# -- by time --------------------------------------------------------------------
my $timely = just_told('timely');
for my $count (1 .. 5)
{
	increment($node, $timely, 1);
	$listener->wait_for("timely:$timely", sub { $_->{data}{processed_count} == $count });
}
is(counts("timely:$timely"), '1 2 3 4 5', '[000-02] one item is told too, when every_interval has passed, with nobody calling anything');
my @at = map { $_->{emitted_at} } after("timely:$timely");
cmp_ok(min(map { $at[$_] - $at[ $_ - 1 ] } 1 .. $#at), '>=', 0.39, '[001-07] and not before');

# -- who hears it, on which stream ------------------------------------------------
my %seen;
for my $kind (qw(sync mesh batch connection))
{
	my $session = new_session($node, "kind => '$kind', source_id => 'r:$kind'");
	my ($channel, $param) = split / /, sql("SELECT channel || ' ' || param FROM sync.sync_kinds WHERE kind = '$kind'");
	my $stream = sql(qq{SELECT stream FROM sync.sync_progress_subscribe(ARRAY['{"channel":"$channel","$param":"r:$kind"}'], ARRAY['{"sub":"alice"}'::jsonb], '{1}')});
	is($stream, "$kind:r:$kind", "[002-15] [003-02] $channel: the stream that subscribing names");
	ok($listener->wait_for($stream, sub { 1 }), '[002-15] [003-02] is the one that is told');
}
my $owners = sql(q{SELECT stream FROM sync.sync_progress_subscribe(ARRAY['{"channel":"SessionsChannel"}'], ARRAY['{"sub":"alice"}'::jsonb], '{1}')});
my $renamed = new_session($node);
sql("SELECT sync.sync_session_rename($renamed, 'heard by both')");
for my $who ($listener, $second)
{
	ok($who->wait_for($owners, sub { $_->{type} eq 'session_renamed' && $_->{data}{title} eq 'heard by both' }), '[004-12] [004-15] everybody who listens hears of an edit, wherever it was made');
}
fence();
$second->wait_for("quick:$fence", sub { $_->{data}{processed_count} == $fenced });

# What one has heard up to the fence; of the other it may be asked a moment later.
sub heard
{
	my $text = join "\n", map { $_->{raw} } $_[0]->all;
	return $text =~ /^(.*?"stream":"quick:$fence"[^\n]*"processed_count":$fenced,)/s ? $1 : 'no fence';
}

is(heard($second), heard($listener), '[000-07] two that listen hear the same, byte for byte, in one order');

# -- what an open transaction that counts keeps others from -------------------------
my $shared = just_told('quick', 'total_count => 100');
my @workers = map { $node->background_psql('postgres') } 1 .. 5;
$_->query_safe("BEGIN; SELECT sync.sync_progress_increment($shared, 3); SELECT sync.sync_progress_set($shared, total_count => 200);") for @workers;
my $pids = join ',', map { $_->query_safe('SELECT pg_backend_pid()') } @workers;
is(sql("SELECT count(*) FROM pg_locks WHERE pid IN ($pids) AND (locktype = 'advisory' OR NOT granted)"), 0, '[001-14] five open transactions count on one session: no advisory lock, nobody waits');
is($node->psql('postgres', "BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $shared FOR UPDATE NOWAIT; UPDATE sync.sync_sessions SET title = 'free' WHERE id = $shared; COMMIT;"), 0,
	'[001-14] its row is free for who wants to lock it');
my $locker = $node->background_psql('postgres');
$locker->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $shared FOR UPDATE;");
$locker->query_safe('SET statement_timeout = 20000');
$locker->query_safe("SELECT sync.sync_progress_increment($shared, 100)") for 1 .. 3;
is(sql("SET statement_timeout = '20s'; SELECT sync.sync_progress_increment($shared, 7)"), 'processing', '[000-25] and a job that has it locked, with_lock, keeps no other from counting');
$locker->query_safe('COMMIT');
$_->query_safe('COMMIT') for @workers;
$_->quit for @workers, $locker;
is(counted($node, $shared), 322, '[001-05] everything is counted');

# -- and what a monitor sees of it ----------------------------------------------------
my $waiting = just_told('hundred');
my $before = sql('SELECT suppressed FROM sync.pg_stat_sync_progress');
sql(sprintf($one_by_one, $waiting) x 40);
fence();
cmp_ok(sql('SELECT sessions_waiting FROM sync.pg_stat_sync_progress'), '>=', 1, '[001-16] queue depth: a session waits for its turn');
sql('SELECT sync.sync_progress_flush()');
cmp_ok(sql('SELECT suppressed FROM sync.pg_stat_sync_progress') - $before, '>=', 39, '[000-36] and that forty commits became one message is counted');
is(counts("hundred:$waiting"), '40', 'as they did');
is(sql('SELECT last_error FROM sync.pg_stat_sync_progress'), '', 'the worker had no error');

$_->quit for $listener, $second;
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
