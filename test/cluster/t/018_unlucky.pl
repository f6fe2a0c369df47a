# What an unlucky server does: NOTIFY that is refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('unlucky', conf => "max_wal_senders = 2\nwal_level = replica\nsync_progress.heartbeat_interval = 100ms\n");
quick_kind($node, '50 milliseconds', '100 milliseconds');
my $session = new_session($node, "kind => 'quick'");
wait_for_worker($node);
my $listener = SyncProgress::Listener->new($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# -- NOTIFY fails ----------------------------------------------------------------
# As when its queue is full: somebody's NOTIFY does not end, and the server
# lets nobody wait for it.  A heartbeat that failed ended the worker.
$listener->ask('SELECT sync.sync_progress_attach()');
ok(wait_until(sub { grep { $_->{type} eq 'heartbeat' } $listener->all }, 'a heartbeat'), 'there are heartbeats');
my $pid = worker_pid($node);
sql($_) for 'ALTER SYSTEM SET synchronous_commit = local', "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "ALTER SYSTEM SET lock_timeout = '20ms'";
$node->reload;
my $offset = -s $node->logfile;
my $slow = $node->background_psql('postgres');
$slow->query_until(qr/go/, "SET synchronous_commit = on;\n\\echo go\nBEGIN; CREATE TABLE slow (); NOTIFY slow; COMMIT;\n");
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /Bridges get no heartbeat/ }, 'it to be said'), 'that they cannot be sent is said');
is(scalar(() = slurp_file($node->logfile, $offset) =~ /Bridges get no heartbeat/g), 1, 'once');
increment($node, $session, 7);
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session") == 7 }, 'it to be folded'), 'counting and folding go on');
is(worker_pid($node), $pid, 'the worker lives');
$listener->forget;
sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
ok($listener->wait_for("quick:$session", sub { $_->{data}{processed_count} == 7 }, 20), 'when NOTIFY works again, what was not told is');
ok(wait_until(sub { grep { $_->{type} eq 'heartbeat' } $listener->all }, 'a heartbeat'), 'and there are heartbeats');
is(worker_pid($node), $pid, 'of the same worker');
sql($_) for 'ALTER SYSTEM RESET synchronous_commit', 'ALTER SYSTEM RESET synchronous_standby_names', 'ALTER SYSTEM RESET lock_timeout';
$node->reload;
$slow->quit;

$listener->quit;
done_testing();
