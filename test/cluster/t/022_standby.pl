# A hot standby: what reads works and is exact, also under a snapshot that is
# older than what replay is about to remove; what writes says where to go.
# Logical replication to a database that has the extension, too.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_cluster('primary', conf => "wal_level = logical\nmax_wal_senders = 10\nmax_replication_slots = 10\nhot_standby = on\nautovacuum = off\n");
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# replay waits for queries, however long, rather than cancel them
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = off\n");
$standby->start;

sub sql { return $primary->safe_psql('postgres', $_[0]); }

sub read_there { return $standby->safe_psql('postgres', $_[0]); }

sub catch_up { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush')); return; }

# -- reading ----------------------------------------------------------------------
my $session = new_session($primary, q{total_count => 200000, accounts => '[{"name":"in"}]'});
increment($primary, $session, 10);
flush($primary);
my $holder = $primary->background_psql('postgres');
$holder->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $session FOR UPDATE");
increment($primary, $session, 5);
catch_up();
is(read_there("SELECT processed_count FROM sync.sync_progress($session)"), 15, 'on a standby the function has what is not folded yet, too');
is(read_there("SELECT processed_count FROM sync.sync_progress WHERE session_id = $session"), 15, 'and so has the view');
is(read_there("SELECT payload ->> 'processed_count' FROM sync.sync_progress_snapshots('{sync:$session}')"), 10, 'snapshots have what is folded, as everywhere');
is(read_there(qq{SELECT payload ->> 'processed_count' FROM sync.sync_progress_subscribe(ARRAY['{"channel":"SyncStatusChannel","id":$session}'], ARRAY['{"scope":["admin"]}'::jsonb], '{1}')}), 10, 'so has what is asked for by a subscription');
is(read_there(q{SELECT count(*) FROM sync.sync_progress_sessions('{"sub":"alice"}')}), 1, 'lists can be read');
is(read_there('SELECT coalesce(worker_pid::text, \'none\') FROM sync.pg_stat_sync_progress'), 'none', 'and statistics: there is no worker');
cmp_ok(read_there('SELECT count(*) FROM sync.sync_progress_doctor()'), '>', 3, 'the doctor comes there, too');
is(read_there("SELECT sync.sync_progress_session('sync', '$session')"), $session, 'a run is found by its source');

# -- writing -----------------------------------------------------------------------
sub refused
{
	my ($node, $before, $call, $hint) = @_;
	my (undef, undef, $err) = $node->psql('postgres', "$before SELECT $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  25006: cannot execute .* (?:during recovery|in a read-only transaction)/, "$call: refused");
	like($err, $hint, 'with where to go') if $hint;
	return;
}
refused($standby, '', "sync.$_", qr/HINT:  This server is a standby\. Connect to the primary/)
  for "sync_progress_increment($session)", "sync_progress_increment_many($session, '{\"processed\":1}')", "sync_progress_set($session, 5)", 'sync_progress_flush()', 'sync_progress_attach()', "sync_progress_disconnect('alice')",
  # while the row is held on the primary: it waited for that, for ever
  "sync_session_pause($session)", "sync_session_complete($session)", "sync_session_rename($session, 'x')", "sync_session_pin($session, true)", "sync_session_delete($session)";
refused($standby, '', "sync.$_") for "sync_session_start('alice')", 'sync_progress_rotate_key()', "sync_progress_prune('1 day')";
refused($primary, 'BEGIN READ ONLY;', "sync.$_", qr/HINT:  Begin it with BEGIN READ WRITE/)
  for "sync_progress_increment($session)", "sync_progress_increment_many($session, '{\"processed\":1}')", "sync_progress_set($session, 5)", "sync_session_pause($session)";
is(read_there("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync_progress worker'"), 0, 'nothing of it has started a worker on the standby');

# -- a snapshot that is older than a fold ---------------------------------------------
# It saw the session without what was folded, and the ledger without what was
# truncated since: 10 instead of 70015.  For enough of them the ledger moves on
# to the next heap, and empties this one when its rows are dead to everybody.
sql("SELECT count(sync.sync_progress_increment($session)) FROM generate_series(1, 70000)");
catch_up();
my $old = $standby->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
$holder->query_safe('COMMIT');
$holder->quit;
flush($primary);
my $sizes = join ' + ', map { "pg_relation_size('sync.sync_progress_ledger_$_')" } 0 .. 15;
# turns come with increments; their rows are few, in a heap with a megabyte made ahead
ok(wait_until(sub { increment($primary, $session, 1); sql("SELECT $sizes") < 3_000_000 }, 'the ledger to shrink'), 'the heap is truncated on the primary');
my $target = $primary->lsn('flush');
ok($standby->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'RecoveryConflictSnapshot') OR pg_last_wal_replay_lsn() >= '$target'"), 'the standby has come that far');
is($old->query_safe("SELECT processed_count FROM sync.sync_progress WHERE session_id = $session") =~ s/\s//gr, 70015, 'an old snapshot on the standby still has every increment');
# in naps, between which it does not say so
ok($standby->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'RecoveryConflictSnapshot')"), 'for replay waits for it');
$old->query_safe('COMMIT');
$old->quit;
catch_up();
is(read_there("SELECT processed_count FROM sync.sync_progress($session)"), sql("SELECT processed_count FROM sync.sync_progress($session)"), 'and goes on when it is gone');

# -- promotion --------------------------------------------------------------------------
increment($primary, $session, 1000);
my $exact = sql("SELECT processed_count FROM sync.sync_progress($session)");
catch_up();
$standby->promote;
ok(wait_for_worker($standby), 'a promoted standby has a worker, by itself');
is(counted($standby, $session), $exact, 'and counts what there was');
increment($standby, $session, 1);
is(counted($standby, $session), $exact + 1, 'and what comes');
$standby->stop('fast');

# -- logical replication -------------------------------------------------------------------
# The subscriber has the extension as well: runs arrive with their counts, and
# nothing is counted there a second time.
sql('CREATE DATABASE subscriber');
$primary->safe_psql('subscriber', 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync');
my $own = new_session($primary, "title => 'own'", 'subscriber');
$primary->safe_psql('subscriber', 'ALTER TABLE sync.sync_sessions ALTER id RESTART WITH 1000000; ALTER TABLE sync.sync_session_accounts ALTER id RESTART WITH 1000000');
$primary->safe_psql('subscriber', "DELETE FROM sync.sync_sessions");
sql(q{CREATE PUBLICATION everything FOR ALL TABLES; SELECT pg_create_logical_replication_slot('everything', 'pgoutput')});
$primary->safe_psql('subscriber', "CREATE SUBSCRIPTION everything CONNECTION '" . ($primary->connstr('postgres') =~ s{'}{''}gr) . "' PUBLICATION everything WITH (create_slot = false, slot_name = everything, copy_data = false)");
my $sent = new_session($primary, q{title => 'sent', accounts => '[{"name":"part"}]'});
my $part = sql("SELECT id FROM sync.sync_session_accounts WHERE sync_session_id = $sent");
sub arrived { return $primary->safe_psql('subscriber', $_[0]); }
increment($primary, $sent, 5);
sql("SELECT sync.sync_progress_increment($sent, 2, 'processed', $part), sync.sync_progress_increment($sent, 3, 'a.b')");
flush($primary);
my $row = "SELECT concat_ws('|', title, status, processed_count, counters, version, (SELECT processed_count FROM sync.sync_session_accounts AS a WHERE sync_session_id = s.id)) FROM sync.sync_sessions AS s WHERE id = $sent";
ok(wait_until(sub { arrived($row) eq sql($row) }, 'the run'), 'a published run arrives, with its counts and its version') or diag(arrived($row) . ' for ' . sql($row) . "\n" . slurp_file($primary->logfile));
like(arrived($row), qr/^sent\|processing\|7\|\{"a.b": 3\}\|\d+\|2$/, 'all of it');
is(arrived("SELECT processed_count FROM sync.sync_progress($sent)"), 7, 'it is counted once there');
my $here = new_session($primary, "title => 'here'", 'subscriber');
increment($primary, $here, 4, 'subscriber');
is(counted($primary, $here, 'subscriber'), 4, 'the subscriber counts runs of its own');
# increments that are never folded on the publisher while they arrive
$holder = $primary->background_psql('postgres');
$holder->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $sent FOR UPDATE");
increment($primary, $sent, 50);
sql("UPDATE sync.sync_sessions SET title = 'a mark' WHERE id = $session");
ok(wait_until(sub { arrived("SELECT count(*) FROM sync.sync_sessions WHERE title = 'here'") == 1 && sql("SELECT pg_wal_lsn_diff(confirmed_flush_lsn, '" . $primary->lsn('insert') . "') >= 0 FROM pg_replication_slots") eq 't' }, 'the subscriber to catch up'), 'the subscriber has all that was committed');
flush($primary, 'subscriber');
is(arrived('SELECT ' . join(' + ', map { "(SELECT count(*) FROM sync.sync_progress_ledger_$_)" } 0 .. 15)), 0, 'no row of the publisher\'s ledger among it');
is(arrived("SELECT processed_count FROM sync.sync_progress($sent)"), 7, 'nor is it counted from there');
$holder->query_safe('COMMIT');
$holder->quit;
flush($primary);
ok(wait_until(sub { arrived("SELECT processed_count FROM sync.sync_sessions WHERE id = $sent") == 57 }, 'the fold'), 'it comes with the publisher\'s fold');
sql("SELECT sync.sync_session_complete($sent)");
flush($primary);
ok(wait_until(sub { arrived($row) eq sql($row) && arrived($row) =~ /completed/ }, 'the end'), 'and so does the end');
sql("DELETE FROM sync.sync_sessions WHERE id = $sent");
ok(wait_until(sub { arrived("SELECT count(*) FROM sync.sync_sessions WHERE id = $sent") == 0 }, 'the deletion'), 'and a deletion');
unlike(slurp_file($primary->logfile), qr/ERROR:  (?:duplicate|cannot (?:update|delete))/, 'nothing that is replicated is refused');
$primary->safe_psql('subscriber', 'ALTER SUBSCRIPTION everything DISABLE; ALTER SUBSCRIPTION everything SET (slot_name = NONE); DROP SUBSCRIPTION everything');

$primary->stop('fast');
unlike(slurp_file($_->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed') for $primary, $standby;
done_testing();
