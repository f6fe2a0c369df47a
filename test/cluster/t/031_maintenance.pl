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

# --- a row that cannot be written, or seen ----------------------------------------------

# The fold deleted the ledger's rows, whether or not its UPDATE found the session;
# and of an account that it does not see it believes that it was deleted.
sub kept
{
	my ($what, $hide, $show, $error) = @_;
	my $before = counted($node, $session);
	my $part = sql("SELECT processed_count FROM sync.sync_session_accounts WHERE id = $accounts[0]");
	sql($hide);
	sql("SELECT sync.sync_progress_increment($session, 5, 'processed', $accounts[0]); SELECT sync.sync_progress_flush()");
	like(last_error(), qr/^fold of session $session: $error/, "$what: an error");
	sql($show);
	my $counted = wait_until(sub { counted($node, $session) == $before + 5 }, 'the count');
	ok($counted, 'nothing of what was counted meanwhile is lost');
	is(sql("SELECT processed_count FROM sync.sync_session_accounts WHERE id = $accounts[0]"), $part + 5, 'nor of its account');
	return;
}
sql(q{CREATE ROLE sync_owner NOLOGIN;
	GRANT CREATE ON SCHEMA sync TO sync_owner;
	SELECT sync.sync_progress_set_owner('sync_owner');
	CREATE FUNCTION skips() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'});
for my $table (qw(sync_sessions sync_session_accounts))
{
	my $row = $table eq 'sync_sessions' ? "session $session" : "account $accounts[0]";
	kept("$table, with policies for its owner, too",
		"ALTER TABLE sync.$table ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
		"ALTER TABLE sync.$table NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY",
		$table eq 'sync_sessions' ? "the row of $row was not written: a trigger" : qq{query would be affected by row-level security policy for table "$table"});
	kept("$table, with a trigger that keeps rows as they are",
		"CREATE TRIGGER skips BEFORE UPDATE ON sync.$table FOR EACH ROW EXECUTE FUNCTION skips()",
		"DROP TRIGGER skips ON sync.$table",
		"the row of $row was not written: a trigger");
}

done_testing();
