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

# --- tables that are altered ------------------------------------------------------------

# The worker took a number for an address, and the server crashed, and again
# when it had recovered.
my $crashes = -s $node->logfile;
for my $altered (
	[ 'sync_kinds', 'payload_function', 'TYPE regprocedure USING payload_function::regprocedure', 'TYPE text' ],
	[ 'sync_kinds', 'every_count', 'TYPE numeric', 'TYPE bigint' ],
	[ 'sync_sessions', 'counters', 'DROP NOT NULL', q{SET NOT NULL}, "UPDATE sync.sync_sessions SET counters = NULL WHERE id = $session", "UPDATE sync.sync_sessions SET counters = '{}' WHERE id = $session" ])
{
	my ($table, $column, $there, $back, @values) = @$altered;
	my $count = counted($node, $session);
	sql("ALTER TABLE sync.$table ALTER $column $there; " . ($values[0] // ''));
	increment($node, $session, 5);
	flush($node);
	like(last_error(), qr/column \d+ \($column\) of table "$table" was altered, and is to be \w+ NOT NULL/, "$table.$column $there: an error");
	sql(($values[1] // '') . "; ALTER TABLE sync.$table ALTER $column $back");
	ok(wait_until(sub { counted($node, $session) == $count + 5 }, 'the count'), 'until it is altered back');
}
unlike(slurp_file($node->logfile, $crashes), qr/terminated by signal/, 'the server lives');

# --- errors longer than there is room for ----------------------------------------------

# were cut in the midst of a character, and the view could not be converted
sql(q{CREATE TABLE message (text text);
	INSERT INTO message VALUES ('');
	CREATE FUNCTION fails(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS
	$$ BEGIN RAISE EXCEPTION '%', (SELECT m.text FROM public.message AS m); END $$});
for my $message ('€' x 200, 'x' . '€' x 200, 'xx' . '€' x 200)
{
	sql("UPDATE message SET text = '$message';
		UPDATE sync.sync_kinds SET payload_function = 'public.fails(bigint[])' WHERE kind = 'quick'");
	increment($node, $session, 1);
	my $start = substr $message, 0, 10;
	ok(wait_until(sub { last_error() =~ /fails.*: \Q$start\E/ }, 'the error'), 'a payload fails with a long message');
	is(sql(q{SELECT convert_from(convert_to(last_error, 'UTF8'), 'UTF8') = last_error AND octet_length(last_error) > 250 FROM sync.pg_stat_sync_progress}), 't',
		'which is kept in whole characters');
}
sql("UPDATE sync.sync_kinds AS k SET payload_function = x.payload_function FROM sync.sync_kinds AS x WHERE k.kind = 'quick' AND x.kind = 'sync'");

# --- a state that is too large ----------------------------------------------------------

# The worker said that there was a state, which nobody who asked could get.
my $large = new_session($node, q{accounts => (SELECT jsonb_agg(jsonb_build_object('name', 'Account ' || i, 'email', repeat('x', 100))) FROM generate_series(1, 1100) AS i)});
flush($node);
like(last_error(), qr/payload of session $large by .*sync_payload.* gave \d+ bytes for session $large/, 'a session with very many accounts is an error');

# --- a database without an encoding -------------------------------------------------------

# a text was cut in the midst of a character, and no bridge could read the state
sql(q{CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('ascii', 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync');
my %longest = (sync => 2_000, mesh => 10_000);
for my $cut (0 .. 2)
{
	my $text = 'x' x $cut . '€' x 4000;
	for my $kind (qw(sync mesh))
	{
		my $id = new_session($node, "kind => '$kind', title => '$text'", 'ascii');
		$node->safe_psql('ascii', "UPDATE sync.sync_sessions SET message = '$text' WHERE id = $id");
		flush($node, 'ascii');
		is($node->safe_psql('ascii', "SET client_encoding = 'UTF8'; SELECT payload ->> 'message' FROM sync.sync_progress_snapshots('{$kind:$id}')"),
			'x' x $cut . '€' x (($longest{$kind} - 1 - $cut) / 3) . '…', "$kind: a long message, cut to whole characters");
	}
}

# --- databases -----------------------------------------------------------------------

# one that all new ones are made of
$node->safe_psql('template1', 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync');
increment($node, new_session($node, '', 'template1'), 1, 'template1');
wait_for_worker($node, 'template1');
sql('CREATE ROLE maker CREATEDB LOGIN');
is($node->psql('postgres', 'SET ROLE maker; CREATE DATABASE made'), 0, 'a database is made while template1 has a worker, by who may make one');
is($node->safe_psql('made', 'SELECT count(*) FROM sync.sync_sessions'), 1, 'with what there is in template1');

# one that nobody may connect to, while its worker ends: the log had a refusal
# every ten seconds
sql("CREATE DATABASE $_ TEMPLATE template0") for qw(closed clock);
for my $db (qw(closed clock))
{
	$node->safe_psql($db, 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync');
	increment($node, new_session($node, '', $db), 1, $db);
}
my %pid = map { $_ => wait_for_worker($node, $_) } qw(closed clock);
my $log = -s $node->logfile;
sql('ALTER DATABASE closed ALLOW_CONNECTIONS false');
sql("SELECT pg_terminate_backend($pid{closed}), pg_terminate_backend($pid{clock})");
wait_for_worker($node, 'clock', $pid{clock});
is(worker_pid($node, 'closed'), '', 'no worker is started where nobody may connect');
unlike(slurp_file($node->logfile, $log), qr/not currently accepting connections/, 'nor tried to be');
sql('ALTER DATABASE closed ALLOW_CONNECTIONS true');
$node->safe_psql('closed', "SELECT sync.sync_progress_increment(id) FROM sync.sync_sessions");
ok(wait_for_worker($node, 'closed'), 'one is when somebody may');

# what DROP DATABASE has left when it was interrupted
sql("CREATE DATABASE half; UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'");
$log = -s $node->logfile;
$node->restart;
wait_for_worker($node, $_) for qw(postgres closed clock made);
unlike(slurp_file($node->logfile, $log), qr/cannot connect to invalid database/, 'half a database is not visited');

done_testing();
