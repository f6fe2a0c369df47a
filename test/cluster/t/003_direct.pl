# Direct changes by application SQL are told like the functions': INSERT,
# UPDATE, DELETE, TRUNCATE and COPY on both tables.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('direct');
quick_kind($node, '50 milliseconds', '100 milliseconds');
my $fence = new_session($node, "kind => 'quick'");
wait_for_worker($node);
my $listener = SyncProgress::Listener->new($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The latest message of a stream for which the test holds.
sub told
{
	my ($stream, $test, $what) = @_;
	my $found = $listener->wait_for($stream, $test, 10);
	ok($found, $what) or diag(join "\n", map { $_->{raw} } $listener->of($stream));
	return $found // {};
}

# INSERT
my $id = sql("INSERT INTO sync.sync_sessions (kind, owner_id, title, total_count) VALUES ('quick', 'bob', 'T', 50) RETURNING id");
my $message = told("quick:$id", sub { 1 }, 'INSERT is told');
is($message->{data}{status}, 'pending', 'as what it is');
is($message->{owner}, 'bob', 'to its owner');
my $version = $message->{version};

# UPDATE
sql("UPDATE sync.sync_sessions SET title = 'U' WHERE id = $id");
$message = told("quick:$id", sub { $_->{data}{title} eq 'U' }, 'UPDATE of a title is told');
cmp_ok($message->{version}, '>', $version, 'with a newer version');
sql("UPDATE sync.sync_sessions SET processed_count = 5, status = 'processing' WHERE id = $id");
told("quick:$id", sub { $_->{data}{processed_count} == 5 && $_->{data}{status} eq 'processing' }, 'UPDATE of counts and status is told');
sql("SELECT sync.sync_progress_increment($id, 2); UPDATE sync.sync_sessions SET processed_count = processed_count + 3 WHERE id = $id; SELECT sync.sync_progress_increment($id, 4);");
told("quick:$id", sub { $_->{data}{processed_count} == 14 }, 'direct and counted changes add up');
sql("UPDATE sync.sync_sessions SET status = 'completed' WHERE id = $id");
told("quick:$id", sub { $_->{final} && defined $_->{data}{completed_at} }, 'UPDATE to completed is told as final, with its time');
sql("BEGIN; UPDATE sync.sync_sessions SET title = 'never' WHERE id = $id; ROLLBACK;");

# of many rows, in one statement
my $first = sql("INSERT INTO sync.sync_sessions (kind, owner_id) SELECT 'quick', 'many' FROM generate_series(1, 50) RETURNING id") =~ s/\n.*//sr;
sql("UPDATE sync.sync_sessions SET message = 'all of you' WHERE owner_id = 'many'");
my $all = wait_until(sub { my %seen; $seen{ $_->{stream} } = 1 for grep { ($_->{data}{message} // '') eq 'all of you' } $listener->all; keys %seen == 50 }, 'all fifty');
ok($all, '[000-30] one UPDATE of 50 sessions tells all 50');

# accounts
my $account = sql("INSERT INTO sync.sync_session_accounts (sync_session_id, name) VALUES ($first, 'Inbox') RETURNING id");
told("quick:$first", sub { @{ $_->{data}{accounts} } == 1 }, 'INSERT of an account is told on its session\'s stream');
sql("UPDATE sync.sync_session_accounts SET status = 'failed', error_message = 'denied' WHERE id = $account");
told("quick:$first", sub { ($_->{data}{accounts}[0]{error_message} // '') eq 'denied' }, '[000-06] UPDATE of an account is told');
sql("DELETE FROM sync.sync_session_accounts WHERE id = $account");
my $gone = told("quick:$first", sub { $_->{version} > $message->{version} && !@{ $_->{data}{accounts} } && ($_->{data}{message} // '') eq 'all of you' },
	'DELETE of an account is told');

# the owner
sql("UPDATE sync.sync_sessions SET owner_id = 'carol' WHERE id = $first");
told("quick:$first", sub { $_->{type} eq 'revoked' }, '[000-35] a change of owner tells everybody to ask again');
$listener->settle($node, $fence);
is((grep { $_->{raw} =~ /"data"/ } grep { $_->{type} eq 'revoked' } $listener->of("quick:$first")), 0, 'without data, which a stranger might get');

# COPY
my $copy = $node->psql('postgres', "COPY sync.sync_sessions (id, kind, owner_id, source_id, status) FROM STDIN;\n"
	. join('', map { "80000$_\tquick\tdave\tcopied-$_\tprocessing\n" } 1 .. 3) . "\\.\n");
is($copy, 0, 'COPY of three sessions');
told("quick:copied-$_", sub { $_->{owner} eq 'dave' }, "COPY is told: $_") for 1 .. 3;

# DELETE
sql("DELETE FROM sync.sync_sessions WHERE id = 800001");
$message = told('quick:copied-1', sub { $_->{type} ne 'progress' }, 'DELETE is told');
like($message->{type}, qr/^(revoked|session_deleted)$/, 'so that watchers are cut off');
cmp_ok($message->{version}, '>', 0, 'with a version');
is(sql("SELECT count(*) FROM sync.sync_progress_snapshots('{quick:copied-1}')"), 0, 'and there is no snapshot of it');
sql("BEGIN; DELETE FROM sync.sync_sessions WHERE id = 800002; ROLLBACK;");
$listener->settle($node, $fence);
is((grep { $_->{type} ne 'progress' } $listener->of('quick:copied-2')), 0, 'a DELETE rolled back is not told');
is(scalar(grep { ($_->{data}{title} // '') eq 'never' } $listener->all), 0, 'nor is an UPDATE rolled back');

# INSERT … ON CONFLICT, MERGE, data-modifying WITH
sql("INSERT INTO sync.sync_sessions (id, owner_id, kind) VALUES (800002, 'dave', 'quick') ON CONFLICT (id) DO UPDATE SET title = 'upserted'");
told('quick:copied-2', sub { ($_->{data}{title} // '') eq 'upserted' }, 'INSERT ON CONFLICT UPDATE is told');
sql("MERGE INTO sync.sync_sessions AS s USING (VALUES (800003)) AS v (id) ON s.id = v.id WHEN MATCHED THEN UPDATE SET title = 'merged'");
told('quick:copied-3', sub { ($_->{data}{title} // '') eq 'merged' }, 'MERGE is told');

# an application's function, fired by its own trigger
sql(q{CREATE TABLE mail (id bigint, session bigint);
	CREATE FUNCTION arrived() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM sync.sync_progress_increment(NEW.session); RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER arrived AFTER INSERT ON mail DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION arrived();
	INSERT INTO mail SELECT n, 800003 FROM generate_series(1, 20) AS n});
told('quick:copied-3', sub { $_->{data}{processed_count} == 20 }, 'increments by a deferred trigger are counted and told');

# TRUNCATE
sql('TRUNCATE sync.sync_sessions CASCADE');
$message = told('quick:copied-3', sub { $_->{type} ne 'progress' }, 'TRUNCATE is told');
like($message->{type}, qr/^(revoked|session_deleted)$/, 'so that watchers are cut off');
$id = new_session($node, "kind => 'quick'");
increment($node, $id, 3);
told("quick:$id", sub { $_->{data}{processed_count} == 3 }, 'after which everything goes on');
sql('TRUNCATE sync.sync_session_accounts');
is(counted($node, $id), 3, 'TRUNCATE of the accounts leaves sessions as they are');

# a bulk load
sql("INSERT INTO sync.sync_sessions (owner_id, status) SELECT 'bulk', 'completed' FROM generate_series(1, 20000)");
increment($node, $id, 1);
ok($listener->wait_for("quick:$id", sub { $_->{data}{processed_count} == 4 }, 20), 'after a bulk load others are told again');
is(sql('SELECT last_error FROM sync.pg_stat_sync_progress'), '', 'the worker had no error');

$listener->quit;
done_testing();
