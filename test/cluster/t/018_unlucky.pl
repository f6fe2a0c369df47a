# What an unlucky server does: NOTIFY that is refused, databases dropped in the
# middle of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

# Who asks for it waits for a standby that there is not.  From the start: after a
# reload a process of the server's has to hear of it, and nobody knows when it has.
my $node = new_cluster('unlucky', conf => "max_wal_senders = 2\nwal_level = replica\nsynchronous_commit = local\nsynchronous_standby_names = 'nobody'\nsync_progress.heartbeat_interval = 100ms\nsync_progress.max_sessions = 100\n");
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
my $pid = wait_for_worker($node);
sql("ALTER SYSTEM SET lock_timeout = '20ms'");
$node->reload;
my $offset = -s $node->logfile;
my $slow = $node->background_psql('postgres');
$slow->query_until(qr/go/, "SET synchronous_commit = on; SET lock_timeout = 0;\n\\echo go\nBEGIN; CREATE TABLE slow (); NOTIFY slow; COMMIT;\n");
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
sql('ALTER SYSTEM RESET lock_timeout');
$node->reload;
$slow->quit;

# -- a function that will not be cancelled -------------------------------------------
# It kept the worker for ever, with its sessions' rows locked.
sql(q{CREATE FUNCTION stubborn(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS
	$$ BEGIN LOOP BEGIN PERFORM pg_sleep(100); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
	SELECT 'stubborn', 'StubbornChannel', 'id', 'public.stubborn(bigint[])', authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
sql("ALTER SYSTEM SET sync_progress.payload_timeout = '500ms'");
$node->reload;
$pid = worker_pid($node);
my $stubborn = new_session($node, "kind => 'stubborn'");
ok(wait_until(sub { my $next = worker_pid($node); $next && $next != $pid }, 'another worker'), 'a worker that a function holds for ever is ended');
increment($node, $session, 1);
ok($listener->wait_for("quick:$session", sub { $_->{data}{processed_count} == 8 }, 20), 'others are told');
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /stubborn\(bigint\[\]\) took longer than sync_progress.payload_timeout, and would not be cancelled/ }, 'its word'), 'which says whose fault it was');
is(sql("SET lock_timeout = '20s'; SELECT sync.sync_session_cancel($stubborn)"), 'cancelled', 'its own session can be changed');
sql($_) for "DELETE FROM sync.sync_sessions WHERE id = $stubborn", "DELETE FROM sync.sync_kinds WHERE kind = 'stubborn'", 'ALTER SYSTEM RESET sync_progress.payload_timeout';
$node->reload;
ok(wait_until(sub { worker_pid($node) }, 'a worker'), 'there is a worker');

# -- shared memory ------------------------------------------------------------------
# Slots that were marked when their database, or its extension, was dropped were
# never free again: a few such drops, and nobody was told but by the sweep.
sub tracked { return sql('SELECT sessions_tracked FROM sync.pg_stat_sync_progress'); }

# Marks as many sessions as there are slots, which somebody holds locked.
sub fill
{
	my ($db) = @_;
	$node->safe_psql($db, "SELECT count(sync.sync_session_start('full')) FROM generate_series(1, 150)");
	my $holder = $node->background_psql($db);
	$holder->query_safe('BEGIN; SELECT count(*) FROM (SELECT FROM sync.sync_sessions FOR UPDATE) AS held');
	$node->safe_psql($db, "SELECT count(sync.sync_progress_increment(id)) FROM sync.sync_sessions WHERE owner_id = 'full'");
	ok(wait_until(sub { $node->safe_psql($db, 'SELECT sessions_waiting FROM sync.pg_stat_sync_progress') >= 90 }, 'slots to be marked'), "$db has nearly all slots");
	return $holder;
}

$node->safe_psql('postgres', 'CREATE DATABASE dropped');
$node->safe_psql('dropped', 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync');
my $holder = fill('dropped');
$node->safe_psql('postgres', 'DROP DATABASE dropped WITH (FORCE)');
increment($node, new_session($node, "kind => 'quick'"), 1) for 1 .. 20;
cmp_ok(tracked(), '>=', 20, 'slots of a database that was dropped are for others');
eval { $holder->quit };

$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->safe_psql('again', 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync');
$holder = fill('again');
$holder->query_safe('ROLLBACK; BEGIN; DROP EXTENSION sync_progress; CREATE EXTENSION sync_progress SCHEMA sync; COMMIT');
$holder->quit;
ok(wait_until(sub { increment($node, new_session($node, "kind => 'quick'"), 1); tracked() >= 40 }, 'slots'), 'so are those of an extension that was');

$listener->quit;
done_testing();
