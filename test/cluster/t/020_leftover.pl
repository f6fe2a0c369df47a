# What was counted live and nobody could write before a clean stop is there
# after it, once: it outlives the stop in a file.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Utils;
use Test::More;
use File::Copy qw(copy);

my $node = new_cluster('leftover', conf => q{
sync_progress.flush_interval = 1min
max_prepared_transactions = 5
wal_level = replica
max_wal_senders = 1
hot_standby = on
});
my $file = $node->data_dir . '/pg_stat/sync_progress.live';

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub live { return sql("SET sync_progress.mode = live; $_[0]"); }

sub lock_row { return "SELECT id FROM sync.sync_sessions WHERE id = $_[0] FOR UPDATE"; }

# told once, and then not for an hour: nothing is written but by a flush
sql(q{
	INSERT INTO sync.sync_kinds (kind, channel, param, every_count, min_interval, every_interval, payload_function, authorize_function)
	SELECT 'rare', 'RareChannel', 'id', 1000000000, '1 hour', '1 hour', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});

# -- locked when the worker ends, and the next one is prevented by a stop ----------
my $session = new_session($node, q{kind => 'rare', accounts => '[{"name":"part"}]'});
my $part = sql("SELECT id FROM sync.sync_session_accounts WHERE sync_session_id = $session");
live("SELECT sync.sync_progress_increment($session)");
flush($node);
my $app = $node->background_psql('postgres');
$app->query_safe('BEGIN; ' . lock_row($session) . ';');
live(qq{SELECT sync.sync_progress_increment($session, 6), sync.sync_progress_increment($session, 3, 'processed', $part),
	sync.sync_progress_increment_many($session, '{"error":2,"mails.big":4}')});
my $counts = "SELECT processed_count, error_count, counters ->> 'mails.big',
	(SELECT processed_count FROM sync.sync_session_accounts WHERE id = $part) FROM sync.sync_sessions WHERE id = $session";
my $launcher = end_worker($node);
is(sql($counts), '1|0||0', 'the worker ended, and could not write it');
stop_without_worker($node, $launcher);
eval { $app->quit };
ok(-s $file, 'the server was stopped before the next worker came: a file has it');

# -- a start that fails does not use it up -------------------------------------------
my $hba = $node->data_dir . '/pg_hba.conf';
copy($hba, "$hba.good");
append_to_file($hba, "a mistake\n");
ok(!$node->start(fail_ok => 1), 'a start that fails');
ok(-s $file, 'leaves the file');
copy("$hba.good", $hba);
copy($file, "$file.copy");
$node->start;
flush($node);
is(sql($counts), '10|2|4|3', 'the next server has written all that was counted');
ok(!-e $file, 'and has no use for the file any more');
live("SELECT sync.sync_progress_increment($session, 5)");
flush($node);
is(sql($counts), '15|2|4|3', 'and counts on');
$node->restart;
is(counted($node, $session), 15, 'also after another restart');

# -- a file that is not true any more --------------------------------------------------
$node->stop('fast');
copy("$file.copy", $file);
$node->start;
is(counted($node, $session), 15, 'a file of an earlier stop is not counted again');
ok(!-e $file, 'and is removed');
like(slurp_file($node->logfile), qr/does not count what is in "pg_stat\/sync_progress.live"/, 'which the log says');

# -- a prepared transaction holds the row over the stop ---------------------------------
sql('BEGIN; ' . lock_row($session) . "; PREPARE TRANSACTION 'holds'");
live("SELECT sync.sync_progress_increment($session, 20)");
$node->restart;
is(sql("SELECT processed_count FROM sync.sync_progress($session)"), 35, 'a prepared transaction has the row locked: counted after the stop');
live("SELECT sync.sync_progress_increment($session, 7)");
$node->restart;
is(sql("SELECT processed_count FROM sync.sync_progress($session)"), 42, 'and after the next, with what was counted in between');
is(sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session"), 15, 'the row is locked still');
# an absolute value comes after all of it, and an increment after that
live("SELECT sync.sync_progress_set($session, 100), sync.sync_progress_increment($session, 1)");
$node->restart;
sql("ROLLBACK PREPARED 'holds'");
is(counted($node, $session), 101, 'an absolute value replaces what was counted before it, and not what came later');

# -- a standby gets counts with rows, never from a file -----------------------------------
sql('BEGIN; ' . lock_row($session) . "; PREPARE TRANSACTION 'holds'");
live("SELECT sync.sync_progress_increment($session, 9)");
$node->stop('fast');
copy($file, "$file.copy");
append_to_file($node->data_dir . '/standby.signal', '');
$node->start;
ok(!-e $file, 'a server that is made a standby does not take the file');
$node->promote;
sql("ROLLBACK PREPARED 'holds'");
is(counted($node, $session), 101, 'nor counts what is in it, when it is promoted');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:/, 'no panic');
done_testing();
