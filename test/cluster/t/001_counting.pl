# Every committed increment is counted, once, and nothing else is: many
# clients, rollbacks, savepoints, exceptions, prepared transactions.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('counting', conf => 'max_prepared_transactions = 10');
my $listener = SyncProgress::Listener->new($node);

# the ledger is made longer before it is full, but only where rows come quickly
my $pages = 'SELECT ' . join(' + ', map { "pg_relation_size('sync.sync_progress_ledger_$_')" } 0 .. 15) . " >> 13";
my $quick = new_session($node);
increment($node, $quick, 1);
cmp_ok($node->safe_psql('postgres', $pages), '<=', 2, 'a row makes a page');
$node->safe_psql('postgres', "SELECT count(sync.sync_progress_increment($quick)) FROM generate_series(1, 3000)");
cmp_ok($node->safe_psql('postgres', $pages), '>=', 128, 'pages that are begun one soon after the other make room for those to come');
is(counted($node, $quick), 3001, 'which is no row');

# 10 threads, one each
my $ten = new_session($node);
my $plain = script("SELECT sync.sync_progress_increment(:s);\n");
my $bench = pgbench_start($node, '-c', 10, '-j', 2, '-t', 1, '-D', "s=$ten", '-f', $plain);
ok($bench->{run}->finish, 'ten clients increment at once') or diag($bench->{err});
is(counted($node, $ten), 10, '[001-15] 10 threads x +1 = 10');

# 32 clients x 1,000 on one session.  Each transaction commits exactly one,
# and writes a witness beside it.
$node->safe_psql('postgres', q{
	CREATE TABLE witness (amount int) WITH (autovacuum_enabled = off);
	CREATE FUNCTION one(session bigint) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN
			PERFORM sync.sync_progress_increment(session, 1000);
			INSERT INTO witness VALUES (1000);
			BEGIN
				PERFORM sync.sync_progress_increment(session, 20000);
				RAISE EXCEPTION 'inner';
			EXCEPTION WHEN raise_exception THEN
				PERFORM 1 / 0;
			END;
		EXCEPTION WHEN division_by_zero THEN
			PERFORM sync.sync_progress_increment(session);
			INSERT INTO witness VALUES (1);
		END;
	END
	$$});
my $hot = new_session($node, 'total_count => 32000');
my @scripts = map { ('-f', script($_)) } (
	"BEGIN; INSERT INTO witness VALUES (1); SELECT sync.sync_progress_increment(:s); COMMIT;\n",
	"BEGIN; INSERT INTO witness VALUES (5); SELECT sync.sync_progress_increment(:s, 5); ROLLBACK;\n"
	  . "BEGIN; SELECT sync.sync_progress_increment(:s); INSERT INTO witness VALUES (1); COMMIT;\n",
	"BEGIN; SAVEPOINT a; SELECT sync.sync_progress_increment(:s, 30); SAVEPOINT b; SELECT sync.sync_progress_increment(:s, 70); RELEASE b; ROLLBACK TO a;\n"
	  . "SELECT sync.sync_progress_increment(:s); INSERT INTO witness VALUES (1); RELEASE a; COMMIT;\n",
	"SELECT one(:s);\n",
	"BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO witness VALUES (1); SELECT sync.sync_progress_increment(:s); COMMIT;\n",
	"BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO witness VALUES (1); SELECT sync.sync_progress_increment(:s, 3), sync.sync_progress_increment(:s, -2); COMMIT;\n");
$bench = pgbench_start($node, '-c', 32, '-j', 2, '-t', 1000, '-D', "s=$hot", @scripts);
ok($bench->{run}->finish, '32 clients x 1,000 transactions, none fails') or diag($bench->{err});
like($bench->{out}, qr/^number of failed transactions: 0 /m, 'not one, at any isolation level');
like($bench->{out}, qr{^number of transactions actually processed: 32000/32000$}m, 'all 32,000 were done');
is($node->safe_psql('postgres', "SELECT processed_count FROM sync.sync_progress($hot)"), 32000, 'the view says 32,000 at once');
is(counted($node, $hot), 32000, '[001-05] 32 clients x 1,000 = exactly 32,000, with rollbacks, savepoints and exceptions mixed in');
is($node->safe_psql('postgres', 'SELECT sum(amount) FROM witness'), 32000, 'as the witness says');
ok($listener->wait_for("sync:$hot", sub { $_->{data}{processed_count} == 32000 }), 'and watchers are told 32,000');
is((grep { $_->{data}{processed_count} > 32000 } $listener->of("sync:$hot")), 0, 'never more');

# one transaction over many sessions
my $first = $node->safe_psql('postgres', q{SELECT min(sync.sync_session_start('many')) FROM generate_series(1, 500)});
$node->safe_psql('postgres', q{SELECT sync.sync_progress_increment(id, 3) FROM sync.sync_sessions, generate_series(1, 4) WHERE owner_id = 'many'});
flush($node);
is($node->safe_psql('postgres', q{SELECT count(*) || ' ' || min(processed_count) || ' ' || max(processed_count) FROM sync.sync_sessions WHERE owner_id = 'many'}),
	'500 12 12', 'one statement increments 500 sessions, each exactly');

# PREPARE TRANSACTION
my $prepared = new_session($node);
$node->safe_psql('postgres', "BEGIN; SELECT sync.sync_progress_increment($prepared, 7); PREPARE TRANSACTION 'yes'");
$node->safe_psql('postgres', "BEGIN; SELECT sync.sync_progress_increment($prepared, 100); PREPARE TRANSACTION 'no'");
increment($node, $prepared, 1);
is(counted($node, $prepared), 1, 'a prepared transaction is not counted');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'no'");
is(counted($node, $prepared), 1, 'nor after ROLLBACK PREPARED');
$node->safe_psql('postgres', "COMMIT PREPARED 'yes'");
ok($listener->wait_for("sync:$prepared", sub { $_->{data}{processed_count} == 8 }), 'COMMIT PREPARED is told without any further increment');
is(counted($node, $prepared), 8, 'and counted');
$node->safe_psql('postgres', "BEGIN; SELECT sync.sync_progress_increment($prepared, 30); SELECT sync.sync_session_pause($prepared); PREPARE TRANSACTION 'restart'");
$node->restart;
is(counted($node, $prepared), 8, 'prepared over a restart: still not counted');
is(increment($node, $prepared, 0), 'processing', 'and its pause not seen');
$node->safe_psql('postgres', "COMMIT PREPARED 'restart'");
is(counted($node, $prepared), 38, 'until COMMIT PREPARED');
ok(wait_until(sub { increment($node, $prepared, 0) eq 'paused' }, 'the prepared pause'), 'which pauses it as well');

# nothing is left in the ledger
flush($node);
is($node->safe_psql('postgres', join(' + ', map { "(SELECT count(*) FROM sync.sync_progress_ledger_$_)" } 0 .. 15) =~ s/^/SELECT /r),
	0, 'the ledger is empty when all is folded');

$listener->quit;
done_testing();
