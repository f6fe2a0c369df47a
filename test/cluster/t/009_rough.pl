# What administrators and applications may do at any moment: rewrite and vacuum
# the ledger's heaps, hold snapshots, update sessions out of place, end the
# worker, leave a DROP EXTENSION open, commit prepared transactions by the
# hundred, and create objects where functions look.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('rough', conf => 'max_prepared_transactions = 20');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Rows of the ledger lie elsewhere after VACUUM FULL: the fold must not delete
# by the places that it has read.
quick_kind($node, '10 milliseconds', '20 milliseconds');
my @sessions = map { new_session($node, "kind => 'quick', source_id => 'r$_'") } 1 .. 20;
my ($first, $last) = @sessions[0, -1];
sql("CREATE TABLE witness (session bigint, amount bigint) WITH (autovacuum_enabled = off)");
my $bench = pgbench_start($node, '-c', 4, '-j', 1, '-t', 3000, '-f', script(
		"\\set s random($first, $last)\n\\set n random(1, 1000)\n"
	  . "BEGIN; SELECT sync.sync_progress_increment(:s, :n); INSERT INTO witness VALUES (:s, :n); COMMIT;\n"));
my $rounds = 0;
while ($bench->{run}->pumpable)
{
	$bench->{run}->pump_nb;
	$rounds++;
	sql(join "\n", map { ("VACUUM FULL sync.sync_progress_ledger_$_;", "VACUUM sync.sync_progress_ledger_$_;") } 0, 1, 2, 0, 1, 2);
	sql("SELECT pg_terminate_backend(worker_pid) FROM sync.pg_stat_sync_progress WHERE worker_pid IS NOT NULL") if $rounds % 3 == 0;
}
ok($bench->{run}->finish, "increments go on while the ledger's heaps are rewritten") or diag($bench->{err});
note("$rounds rounds");
cmp_ok($rounds, '>', 2, 'many a VACUUM FULL beside them');
wait_for_worker($node);
flush($node);
is(sql('SELECT count(*) FROM sync.sync_sessions AS s JOIN (SELECT session, sum(amount) FROM witness GROUP BY session) AS w ON w.session = s.id WHERE s.processed_count <> w.sum'),
	0, 'and each session has what was committed for it');
is(sql('SELECT sum(processed_count) FROM sync.sync_sessions'), sql('SELECT sum(amount) FROM witness'), 'no more and no less');

# A session's row that is being replaced must not look as if there were none.
my $moving = new_session($node);
my $readers = pgbench_start($node, '-c', 4, '-j', 1, '-t', 3000, '-f',
	script("SELECT sync.sync_progress_increment($moving, 0);\n"));
while ($readers->{run}->pumpable)
{
	$readers->{run}->pump_nb;
	sql("UPDATE sync.sync_sessions SET owner_id = 'o' || random(), title = repeat('x', 3000) WHERE id = $moving");
}
ok($readers->{run}->finish, 'a session that is updated out of place is always found') or diag($readers->{err});

# An open DROP EXTENSION locks everything: the worker waits, and does not spin.
my $drop = $node->background_psql('postgres');
$drop->query_safe('BEGIN; DROP EXTENSION sync_progress;');
my $worker = worker_pid($node);
sub cpu_ticks { my @stat = split ' ', slurp_file("/proc/$worker/stat"); return $stat[13] + $stat[14]; }
my $before = cpu_ticks();
my $checks = 0;
my $end = time + 3;
wait_until(sub { $checks++; time >= $end }, 'three seconds');
cmp_ok(cpu_ticks() - $before, '<', 100, 'the worker does not spin while its tables are locked');
$drop->query_safe('ROLLBACK');
$drop->quit;
increment($node, $moving, 5);
is(counted($node, $moving), 5, 'and goes on when they are not');

# The throttle holds for prepared transactions, too.
my $listener = SyncProgress::Listener->new($node);
my $prepared = new_session($node);
sql(join '', map { "BEGIN; SELECT sync.sync_progress_increment($prepared); PREPARE TRANSACTION 'p$_'; COMMIT PREPARED 'p$_';" } 1 .. 90);
my $told = $listener->wait_for("sync:$prepared", sub { $_->{data}{processed_count} == 90 });
is($told && $told->{data}{processed_count}, 90, 'prepared transactions are told');
cmp_ok(scalar($listener->of("sync:$prepared")), '<=', 6, 'within the throttle');

# Where everybody may create objects, a function of the owner's is a trap.
sql('CREATE DATABASE open; ');
$node->safe_psql('open', 'CREATE SCHEMA everybody; GRANT CREATE ON SCHEMA everybody TO PUBLIC');
my ($status, $out, $err) = $node->psql('open', 'CREATE EXTENSION sync_progress SCHEMA everybody');
like($err, qr/everybody may create objects in schema everybody.*HINT: .*CREATE SCHEMA sync/s, 'the extension refuses a schema where everybody may create objects');

done_testing();
