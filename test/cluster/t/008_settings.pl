# Settings and bounds: more sessions than are tracked, another channel, hints
# only, heartbeats, payloads that take too long, no process for a worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('settings', conf => q{
sync_progress.max_sessions = 16
sync_progress.heartbeat_interval = 100ms
sync_progress.payload_timeout = 200ms
wal_level = logical
});
quick_kind($node, '50 milliseconds', '100 milliseconds');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# more sessions than shared memory has room for
my $listener = SyncProgress::Listener->new($node);
sql("SELECT count(sync.sync_session_start('many', 'quick', source_id => 'm' || n)) FROM generate_series(1, 200) AS n");
sql(q{SELECT count(sync.sync_progress_increment(id, 2)) FROM sync.sync_sessions WHERE owner_id = 'many'}) for 1 .. 3;
is(sql(q{SELECT string_agg(DISTINCT processed_count::text, ',') FROM sync.sync_progress WHERE owner_id = 'many'}), '6', '200 sessions where 16 are tracked: exact at once');
sql('SELECT sync.sync_progress_flush()');
is(sql(q{SELECT string_agg(DISTINCT processed_count::text, ',') FROM sync.sync_sessions WHERE owner_id = 'many'}), '6', 'folded, each');
my %told;
ok(wait_until(sub { %told = map { $_->{stream} => 1 } grep { ($_->{owner} // '') eq 'many' && $_->{data}{processed_count} == 6 } $listener->all; keys %told == 200 }, '200 sessions'),
	'and told, each') or diag(scalar(keys %told));
my $late = sql(q{SELECT id FROM sync.sync_sessions WHERE source_id = 'm200'});
is(sql("SELECT sync.sync_session_pause($late)"), 'paused', 'one that is not tracked can be paused');
is(increment($node, $late, 1), 'paused', 'and its increments say so');
ok($listener->wait_for('quick:m200', sub { $_->{data}{status} eq 'paused' && $_->{data}{processed_count} == 7 }), 'and are told');

# a publication of all tables
$node->psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
my $published = new_session($node, "kind => 'quick'");
increment($node, $published, 5);
is(counted($node, $published), 5, 'with a publication FOR ALL TABLES counts are folded');
ok($listener->wait_for("quick:$published", sub { $_->{data}{processed_count} == 5 }), 'and told');
is($node->psql('postgres', "DELETE FROM sync.sync_sessions WHERE id = $published"), 0, 'and sessions can be deleted');
sql('DROP PUBLICATION everything');

# a watcher who begins to watch does not wait for the throttle
my $watched = new_session($node, "kind => 'sync', total_count => 10");
$listener->wait_for("sync:$watched", sub { 1 });
sql('SELECT sync.sync_progress_flush()');
increment($node, $watched, 1);
my $start = sql(qq{SELECT FROM sync.sync_progress_subscribe(ARRAY['{"channel":"SyncStatusChannel","id":$watched}'], ARRAY['{"scope":["admin"]}'::jsonb], '{1}'); SELECT extract(epoch FROM clock_timestamp())}) =~ s/^\s+//r;
my $heard = $listener->wait_for("sync:$watched", sub { $_->{data}{processed_count} == 1 });
cmp_ok($heard ? $heard->{emitted_at} - $start : 99, '<', 1, 'what is not folded yet when somebody subscribes is told without waiting for its turn');

# heartbeats
is(scalar(grep { $_->{type} eq 'heartbeat' } $listener->all), 0, 'no heartbeat while no bridge is attached');
my $bridge = $node->background_psql('postgres');
$bridge->query_safe('SELECT * FROM sync.sync_progress_attach()');
my @beats;
ok(wait_until(sub { @beats = grep { $_->{type} eq 'heartbeat' } $listener->all; @beats >= 3 }, 'heartbeats'), 'heartbeats while one is');
is_deeply([ sort grep { !/^(channel|pid|bytes|raw)$/ } keys %{ $beats[0] } ], [qw(emitted_at type)], 'of type and time');
cmp_ok($beats[2]{emitted_at} - $beats[0]{emitted_at}, '>=', 0.15, 'at their interval');
$bridge->quit;
ok(wait_until(sub { sql('SELECT attached FROM sync.pg_stat_sync_progress') == 0 }, 'the bridge to be gone'), 'a bridge that has gone is attached no more');

# payloads that take too long
sql(q{CREATE FUNCTION slow(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(60); END $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, min_interval, every_interval, payload_function, authorize_function)
	SELECT 'slow', 'SlowChannel', 'id', '50 ms', '100 ms', 'public.slow(bigint[])', authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
my $slow = new_session($node, "kind => 'slow'");
my $quick = new_session($node, "kind => 'quick'");
increment($node, $_, 3) for $slow, $quick;
ok($listener->wait_for("quick:$quick", sub { $_->{data}{processed_count} == 3 }, 10), 'a payload function that sleeps does not keep others from being told');
is(counted($node, $slow), 3, 'its session is counted');
sql("DELETE FROM sync.sync_sessions WHERE kind = 'slow'");

# hints only
sql(q{ALTER SYSTEM SET sync_progress.notify = 'hint'});
$node->reload;
my $secret;
ok(wait_until(sub {
		$secret = new_session($node, "kind => 'quick', title => 'secret'");
		my $first = $listener->wait_for("quick:$secret", sub { 1 }, 5);
		$first && $first->{raw} !~ /secret/;
	}, 'hints'), 'sync_progress.notify = hint: messages without data');
sql('ALTER SYSTEM RESET sync_progress.notify');
$listener->quit;

# another channel; and no free process for a worker
sql(q{ALTER SYSTEM SET sync_progress.channel = 'other "channel"'; });
sql($_) for 'ALTER SYSTEM SET max_worker_processes = 1', 'ALTER SYSTEM SET max_logical_replication_workers = 0';	# one, for the launcher
$node->restart;
my $orphan = new_session($node, "kind => 'quick'");
is(increment($node, $orphan, 4), 'processing', 'with no process for a worker increments go on');
is(sql("SELECT processed_count FROM sync.sync_progress($orphan)"), 4, 'exact in the view');
ok(wait_until(sub { slurp_file($node->logfile) =~ /WARNING:.*\n(?:.*DETAIL:.*\n)?.*HINT:.*max_worker_processes/ }, 'the warning'), 'the log says what to do');
is(sql('SELECT worker_pid FROM sync.sync_progress_attach()'), 0, 'attach says that there is no worker yet');
sql('ALTER SYSTEM RESET max_worker_processes');
$node->restart;
is(sql('SELECT channel FROM sync.sync_progress_attach()'), 'other "channel"', 'attach names the channel');
$listener = SyncProgress::Listener->new($node, 'postgres', 'other "channel"');
sql("SELECT sync.sync_session_complete($orphan)");
my $last = $listener->wait_for("quick:$orphan", sub { $_->{final} });
is($last && $last->{data}{processed_count}, 4, 'with a process for it the worker folds what was left, and tells on that channel');

$listener->quit;
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
