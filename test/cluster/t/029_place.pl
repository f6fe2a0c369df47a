# Where the worker finds the sessions' rows: under an old snapshot, when each
# telling leaves a version behind, without an index; and whatever became of the
# place where a row was last, the row that was meant.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('place', conf => "autovacuum = off\n");
quick_kind($node, '10 milliseconds', '20 milliseconds');
wait_for_worker($node) if new_session($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub place { return sql("SELECT ctid FROM sync.sync_sessions WHERE id = $_[0]"); }

# So many tellings of the session, each after a fold of its own.
sub tell_times
{
	my ($session, $times) = @_;
	sql("SELECT sync.sync_progress_increment($session); SELECT sync.sync_progress_flush();\n" x $times);
	return;
}

# How often an index was asked for a session by its id, in all processes.  What
# the worker has not reported yet it reports with what it does then.
sub lookups
{
	my ($session, $updates) = @_;

	wait_until(
		sub {
			tell_times($session, 1);
			sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sync_sessions'") >= $updates;
		}, 'the statistics of the worker');
	return sql("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'sync_sessions_pkey'");
}

sub count_is
{
	my ($session, $count, $what) = @_;
	is(counted($node, $session), $count, $what);
	return;
}

sub added
{
	my ($session, $amount, $what) = @_;
	my $before = sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $session");
	increment($node, $session, $amount);
	count_is($session, $before + $amount, $what);
	return;
}

my $first = new_session($node, "kind => 'quick'");
my $second = new_session($node, "kind => 'quick'");
tell_times($_, 2) for $first, $second;

# --- an old snapshot -------------------------------------------------------------

my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM sync.sync_sessions;');
my $updates = sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sync_sessions'");
my $before = lookups($first, $updates);
tell_times($first, 60);
my $after = lookups($first, $updates + 60);
cmp_ok($after - $before, '<=', 30, '60 tellings under an old snapshot do not ask an index for the row') or diag("$before lookups, then $after");
cmp_ok(sql("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'sync_sessions'"), '>', 50, 'which has as many versions by then');
$old->query_safe('COMMIT');
$old->quit;

# --- pages are pruned, though no index leads to them ------------------------------

# Nobody else may look at the rows meanwhile, or he prunes: statistics tell how
# many versions there were.
sql('VACUUM FULL sync.sync_sessions');
tell_times($first, 1);
my $size = sql("SELECT pg_relation_size('sync.sync_sessions')");
my $versions = sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sync_sessions'") + 60;
my $written = wait_until(sub { sql("SELECT sync.sync_progress_increment($first); SELECT n_tup_upd >= $versions FROM pg_stat_user_tables WHERE relname = 'sync_sessions'") =~ /t$/ }, '60 tellings');
ok($written, 'more versions than a page has room for');
is(sql("SELECT pg_relation_size('sync.sync_sessions')"), $size, 'without an old snapshot they need no more pages');

# --- another file, and a place behind its end -------------------------------------

added($_, 3, "session $_ after VACUUM FULL") for $first, $second;
sql('CLUSTER sync.sync_sessions USING sync_sessions_owner');
added($_, 4, "session $_ after CLUSTER") for $first, $second;
my $last = sql("SELECT sync.sync_session_start('filler', 'quick', source_id => 'f' || n) FROM generate_series(1, 100) AS n") =~ s/.*\n//sr;
tell_times($last, 2);
like(place($last), qr/^\([1-9]/, 'a row that is not in the first page');
sql("DELETE FROM sync.sync_sessions WHERE owner_id = 'filler' AND id <> $last; VACUUM FULL sync.sync_sessions");
like(place($last), qr/^\(0,/, 'is there after VACUUM FULL');
added($last, 5, 'and is found');

# --- another row in the place ------------------------------------------------------

sql("DELETE FROM sync.sync_sessions WHERE id = $last");
flush($node);
sql('VACUUM FULL sync.sync_sessions');
tell_times($first, 3);
my $place = place($first);
my $other;
# without touches: the worker does not hear of it, and remembers the old place
sql("SET session_replication_role = replica; UPDATE sync.sync_sessions SET title = 'moved' WHERE id = $first");
isnt(place($first), $place, 'a row has moved');
my $taken = wait_until(
	sub {
		$other = sql("VACUUM sync.sync_sessions;
			SET session_replication_role = replica;
			INSERT INTO sync.sync_sessions (kind, source_id, owner_id) SELECT 'quick', 'p' || gen_random_uuid(), 'other' FROM generate_series(1, 5);
			SELECT id FROM sync.sync_sessions WHERE ctid = '$place' AND id <> $first");
		$other ne '';
	}, 'a row in the place');
ok($taken, 'and its place is another row\'s');
added($first, 11, 'it counts its own');
is(place($other), $place, 'the other is where it was');
count_is($other, 0, 'and nothing was written to it');
added($other, 7, 'it counts its own');

# --- a row that moves in the fold itself --------------------------------------------

# an application's trigger, after an account was written and before its session is
my @moving = map { new_session($node, "kind => 'quick'") } 1 .. 3;
sql(q{
	INSERT INTO sync.sync_session_accounts (sync_session_id, name) SELECT id, 'Inbox' FROM sync.sync_sessions WHERE id IN (} . join(',', @moving) . q{);
	CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		UPDATE sync.sync_sessions SET title = 'by trigger ' || NEW.processed_count WHERE id = NEW.sync_session_id;
		RETURN NULL;
	END $$;
	CREATE TRIGGER moves AFTER UPDATE ON sync.sync_session_accounts FOR EACH ROW EXECUTE FUNCTION moves();
});
for my $round (1, 2)
{
	sql("SELECT count(sync.sync_progress_increment(sync_session_id, 9, 'processed', id)) FROM sync.sync_session_accounts");
	count_is($_, 9 * $round, "round $round: session $_ counts, though a trigger has moved its row in the fold") for @moving;
	is(sql("SELECT string_agg(DISTINCT title, ',') FROM sync.sync_sessions WHERE id IN (" . join(',', @moving) . ')'), 'by trigger ' . 9 * $round, 'which has what the trigger wrote');
}
sql("SELECT sync.sync_progress_increment(sync_session_id, 9, 'processed', id) FROM sync.sync_session_accounts ORDER BY id LIMIT 1");
count_is($moving[0], 27, 'so does one by itself');
is(sql('SELECT last_error IS NULL FROM sync.pg_stat_sync_progress'), 't', 'no fold has failed');

done_testing();
