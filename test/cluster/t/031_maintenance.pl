# What administrators do to tables, indexes and databases, and what must not come
# of it: an increment that fails, a count that is lost, a statement that is
# refused because of the worker, a log that fills.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('maintenance');
quick_kind($node, '10 milliseconds', '20 milliseconds');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub last_error { return sql('SELECT last_error FROM sync.pg_stat_sync_progress'); }

# --- indexes that are replaced ----------------------------------------------------

# A transaction that goes on meanwhile looked for the one that was there before:
# "could not open relation with OID".
my $session = new_session($node, q{kind => 'quick', accounts => '[{"name":"a"},{"name":"b"},{"name":"c"}]'});
my @accounts = split /\n/, sql("SELECT id FROM sync.sync_session_accounts WHERE sync_session_id = $session ORDER BY id");
my $long = $node->background_psql('postgres', on_error_stop => 0);
$long->query("SELECT sync.sync_progress_increment($session, 1, 'processed', $accounts[0]);");
$long->query('BEGIN;');
sql('REINDEX INDEX CONCURRENTLY sync.sync_session_accounts_pkey');
is($long->query("SELECT sync.sync_progress_increment($session, 1, 'processed', $accounts[1]);"), 'processing',
	'an account is found after REINDEX CONCURRENTLY in a transaction that has begun before');
# its status is read from the row again
sql("SELECT sync.sync_session_pause($session)");
sql('REINDEX INDEX CONCURRENTLY sync.sync_sessions_pkey');
is($long->query("SELECT sync.sync_progress_increment($session, 1, 'processed', $accounts[2]);"), 'paused', 'a session, too');
$long->query('COMMIT;');
$long->quit;
is(counted($node, $session), 3, 'and what was counted is');
sql("SELECT sync.sync_session_resume($session)");

done_testing();
