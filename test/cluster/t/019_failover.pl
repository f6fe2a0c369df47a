# A standby is promoted that lacks what its primary told last: whoever has heard
# of it must hear the new primary's state as the newer one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_cluster('primary', conf => "wal_level = replica\nmax_wal_senders = 5\nhot_standby = on\n");
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub version { my ($node, $session) = @_; return $node->safe_psql('postgres', "SELECT version FROM sync.sync_sessions WHERE id = $session"); }

my ($open, $ended, $locked, $old) = map { new_session($primary, "total_count => 10") } 1 .. 4;
increment($primary, $_, 4) for $open, $ended, $locked, $old;
$primary->safe_psql('postgres', "SELECT sync.sync_session_complete($_)") for $ended, $old;
flush($primary);
# ended and told long ago
$primary->safe_psql('postgres', "SET session_replication_role = replica;
	UPDATE sync.sync_sessions SET completed_at = now() - interval '1 hour', version = 1000000 * extract(epoch FROM now() - interval '1 hour') WHERE id = $old");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is($standby->safe_psql('postgres', 'SELECT count(*) FROM sync.sync_timeline'), 1, 'the timeline is known');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sync_progress worker%'"), 0, 'a standby has no worker');

# what follows never reaches the standby
$standby->safe_psql('postgres', $_) for "ALTER SYSTEM SET primary_conninfo = ''", 'SELECT pg_reload_conf()';
ok($standby->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_wal_receiver'), 'the standby is cut off');
increment($primary, $_, 5) for $open, $locked;
flush($primary);
my %told = map { $_ => version($primary, $_) } $open, $ended, $locked, $old;
is(counted($primary, $open), 9, 'told by the primary');
$primary->stop('immediate');

$standby->promote;
my $holder = $standby->background_psql('postgres');
$holder->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $locked FOR UPDATE");
ok(wait_for_worker($standby), 'the new primary has a worker, by itself');
for my $session ($open, $ended)
{
	ok(wait_until(sub { version($standby, $session) > $told{$session} }, 'a version of now'), 'a run that is open, or ended of late, is newer than what was told');
}
is(counted($standby, $open), 4, 'and says what the new primary knows');
is(version($standby, $old), $told{$old}, 'what was told long ago is left alone');
$holder->query_safe('COMMIT');
$holder->quit;
ok(wait_until(sub { version($standby, $locked) > $told{$locked} }, 'a version of now'), 'one that was held locked, as soon as it is free');

# once
my $version = version($standby, $ended);
$standby->restart;
my $worker = wait_for_worker($standby);
flush($standby);
is(version($standby, $ended), $version, 'a restart on the same timeline makes no new version');
increment($standby, $open, 1);
is(counted($standby, $open), 5, 'and it goes on');
unlike(slurp_file($standby->logfile), qr/PANIC|terminated by signal|could not look at the timeline/, 'nothing has crashed');

done_testing();
