# One session's row is locked by an application: its own increments commit at
# once, 1,000 other sessions are told on time, and it when it is let go.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('locked');
quick_kind($node, '200 milliseconds', '500 milliseconds');
wait_for_worker($node) if new_session($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

my $locked = new_session($node, "kind => 'quick', total_count => 100");
sql("SELECT count(sync.sync_session_start('others', 'quick', source_id => 'o' || n)) FROM generate_series(1, 1000) AS n");
flush($node);

my $app = $node->background_psql('postgres');
$app->query_safe("BEGIN; UPDATE sync.sync_sessions SET title = 'held' WHERE id = $locked;");
my $pid = $app->query_safe('SELECT pg_backend_pid()');
my $listener = SyncProgress::Listener->new($node);

sql("SET statement_timeout = '${\ patience(5)}s'; SELECT sync.sync_progress_increment($locked, 10);\n" x 5);
pass('[000-25] its own increments commit at once');
is(sql("SELECT processed_count FROM sync.sync_progress($locked)"), 50, 'and are seen in the view');
ok(wait_until(sub { sql('SELECT blocked_by FROM sync.pg_stat_sync_progress') eq $pid }, 'blocked_by'), 'pg_stat_sync_progress names the process that holds it');

for my $round (1 .. 3)
{
	my $committed = sql(q{SELECT count(sync.sync_progress_increment(id)) FROM sync.sync_sessions WHERE owner_id = 'others'; SELECT extract(epoch FROM clock_timestamp())}) =~ s/^1000\n//r;
	my %late;
	my $all = wait_until(sub {
			%late = map { $_->{stream} => $_->{emitted_at} - $committed } grep { $_->{owner} eq 'others' && $_->{data}{processed_count} == $round } $listener->all;
			keys %late == 1000;
		}, '1,000 sessions');
	ok($all, "round $round: 1,000 other sessions are told") or diag(scalar(keys %late));
	my ($latest) = sort { $b <=> $a } values %late;
	note("the last after $latest s");
	cmp_ok($latest, '<', 2.5, 'on time') or diag("the last after $latest s");
}
is(scalar($listener->of("quick:$locked")), 0, 'the locked one is not told meanwhile');
is(sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $locked"), 0, 'nor folded');
$app->query_safe('COMMIT');
my $told = $listener->wait_for("quick:$locked", sub { $_->{data}{processed_count} == 50 }, 5);
is($told && $told->{data}{title}, 'held', 'it is told when it is let go, the application\'s own change with it');
ok(wait_until(sub { sql('SELECT blocked_by IS NULL FROM sync.pg_stat_sync_progress') eq 't' }, 'blocked_by', 12), 'nobody is named any more');

# Locked without a change: letting go wakes nobody.
$app->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $locked FOR UPDATE;");
sql("SELECT sync.sync_progress_increment($locked, 3)");
sql('SELECT sync.sync_progress_flush()');
$app->query_safe('ROLLBACK');
my $freed = time;
$told = $listener->wait_for("quick:$locked", sub { $_->{data}{processed_count} == 53 });
cmp_ok($told ? $told->{emitted_at} - $freed : 99, '<', 2, 'a row that was only locked is told within two seconds after it is let go, too');

# A lock on the table, not on a row: nobody waits for the worker, or it for them for good.
$app->query_safe('BEGIN; LOCK TABLE sync.sync_sessions IN SHARE MODE;');
sql("SET statement_timeout = '${\ patience(5)}s'; SELECT sync.sync_progress_increment($locked, 7);");
pass('increments commit while an application holds the table in SHARE mode (CREATE INDEX)');
is(sql("SELECT processed_count FROM sync.sync_progress($locked)"), 60, 'and are seen');
sql('SELECT sync.sync_progress_flush()');
$app->query_safe('COMMIT');
$freed = time;
$told = $listener->wait_for("quick:$locked", sub { $_->{data}{processed_count} == 60 });
cmp_ok($told ? $told->{emitted_at} - $freed : 99, '<', 2, 'and told within two seconds after it');

# A session that cannot be told: its payload fails.  Others are.
sql(q{CREATE FUNCTION bad(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE EXCEPTION 'no payload today'; END $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
	SELECT 'bad', 'BadChannel', 'id', 'public.bad(bigint[])', authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
my $bad = new_session($node, "kind => 'bad'");
increment($node, $bad, 5);
sql(q{SELECT count(sync.sync_progress_increment(id)) FROM sync.sync_sessions WHERE owner_id = 'others'});
my %told;
ok(wait_until(sub { %told = map { $_->{stream} => 1 } grep { $_->{owner} eq 'others' && $_->{data}{processed_count} == 4 } $listener->all; keys %told == 1000 }, '1,000 sessions'),
	'a payload function that fails keeps nobody else from being told');
is(counted($node, $bad), 5, 'its own session is counted');
like(sql('SELECT last_error FROM sync.pg_stat_sync_progress'), qr/no payload today/, 'pg_stat_sync_progress says why it is not told');
sql(q{CREATE OR REPLACE FUNCTION bad(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS
	$$ SELECT id, json_build_object('n', processed_count) FROM sync.sync_sessions WHERE id = ANY ($1) $$});
my $good = $listener->wait_for("bad:$bad", sub { ($_->{data}{n} // 0) == 5 }, 40);
ok($good, 'when it is repaired the session is told, without any further change');

# Payload functions of an owner that is no superuser run with that owner's rights.
sql(q{CREATE ROLE keeper; GRANT USAGE ON SCHEMA sync TO keeper;
	CREATE FUNCTION evil(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS
	$$ BEGIN RETURN QUERY SELECT x, json_build_object('who', current_user, 'keys', has_table_privilege('sync.sync_keys', 'SELECT'), 'path', current_setting('search_path')) FROM unnest($1) AS x; END $$;
	ALTER FUNCTION evil(bigint[]) OWNER TO keeper;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
	SELECT 'evil', 'EvilChannel', 'id', 'public.evil(bigint[])', authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
my $evil = new_session($node, "kind => 'evil'");
my $seen = $listener->wait_for("evil:$evil", sub { 1 });
is($seen && "$seen->{data}{who} " . ($seen->{data}{keys} ? 'may' : 'may not') . ' read keys', 'keeper may not read keys', 'a payload function runs as its owner, not as the worker');
is($seen && $seen->{data}{path}, 'pg_catalog, pg_temp', 'with a fixed search_path');

$app->quit;
# A run that stands still is told so, once, and when it moves again.
sql("UPDATE sync.sync_kinds SET stall_after = '1 second' WHERE kind = 'quick'");
my $still = new_session($node, "kind => 'quick', total_count => 100");
increment($node, $still, 10);
$told = $listener->wait_for("quick:$still", sub { $_->{data}{eta_state} eq 'stalled' }, 15);
is($told && $told->{data}{processed_count}, 10, 'a run that has not moved for stall_after is told as stalled');
sql('SELECT sync.sync_progress_flush()');    # a flush sweeps
increment($node, $still, 5);
$told = $listener->wait_for("quick:$still", sub { $_->{data}{processed_count} == 15 }, 5);
# steady, unless it has begun too lately for an estimate
like($told && $told->{data}{eta_state}, qr/^(steady|estimating)$/, 'and when it moves again');
# at 15 it may have stood still for a second by now
is(scalar(grep { $_->{data}{eta_state} eq 'stalled' && $_->{data}{processed_count} == 10 } $listener->of("quick:$still")), 1, 'stalled once');

$listener->quit;
done_testing();
