# Transaction ids run on: old snapshots stay exact, and the ledger's heaps are
# frozen in time, though autovacuum is off for them.  And NOTIFY's queue, full.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('age', conf => "autovacuum_freeze_max_age = 100000\nautovacuum_naptime = 1s\nautovacuum_max_workers = 3\nvacuum_freeze_min_age = 0\nvacuum_cost_delay = 0\nautovacuum_vacuum_cost_delay = 0\n");
$node->append_conf('postgresql.conf', 'max_notify_queue_pages = 64') if $node->pg_version >= 17;
$node->restart if $node->pg_version >= 17;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Takes that many transaction ids, one a subtransaction that writes.
sub burn
{
	my ($count) = @_;
	sql("CREATE TEMP TABLE burnt (); DO \$\$ BEGIN FOR i IN 1..$count LOOP BEGIN INSERT INTO burnt DEFAULT VALUES; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$");
	return;
}

quick_kind($node, '50 milliseconds', '100 milliseconds');
my $session = new_session($node, "kind => 'quick'");
increment($node, $session, 5);
flush($node);
my $start = sql(q{SELECT txid_snapshot_xmax(txid_current_snapshot())});
my $old = $node->background_psql('postgres');
$old->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class");
my $written = sub { return sql("SELECT pg_current_xact_id()::text::bigint - $start") };
for my $round (1 .. 3)
{
	burn(60_000);
	increment($node, $session, 10);
	flush($node);
}
cmp_ok($written->(), '>', 180_000, 'transaction ids run on while a snapshot is held');
is($old->query_safe("SELECT processed_count FROM sync.sync_progress WHERE session_id = $session") =~ s/\s//gr, 5, 'it has what there was');
is(counted($node, $session), 35, 'and the others what there is');
$old->query_safe('COMMIT');
$old->quit;
my $age = q{SELECT max(age(relfrozenxid)) FROM pg_class WHERE relnamespace = 'sync'::regnamespace AND relkind = 'r'};
ok(wait_until(sub { increment($node, $session, 1); sql($age) < 100_000 }, 'the freeze', 60), 'every table of the extension is frozen in time, the ledger\'s heaps among them, while it works') or diag(sql('SELECT oid::regclass, age(relfrozenxid) FROM pg_class WHERE relnamespace = \'sync\'::regnamespace AND relkind = \'r\' ORDER BY 2 DESC LIMIT 5'));
ok(wait_until(sub { sql("SELECT age(datfrozenxid) FROM pg_database WHERE datname = 'postgres'") < 150_000 }, 'the database', 60), 'so the database\'s age does not grow for them');
my $exact = sql("SELECT processed_count FROM sync.sync_progress($session)");
is(counted($node, $session), $exact, 'what was counted meanwhile is there, once');
sql('VACUUM (FREEZE) sync.sync_progress_ledger_0');
increment($node, $session, 1);
is(counted($node, $session), $exact + 1, 'after a VACUUM FREEZE as well');

# -- NOTIFY's queue is full ------------------------------------------------------------
SKIP:
{
	# 8 GB before 17, where 018_unlucky has NOTIFY refused by other means
	skip 'the queue cannot be made small before PostgreSQL 17', 6 if $node->pg_version < 17;
	my $listener = SyncProgress::Listener->new($node);
	my $stuck = $node->background_psql('postgres');
	$stuck->query_safe('LISTEN sync_progress; BEGIN; SELECT 1');
	my $worker = wait_for_worker($node);
	my $full = 0;
	for my $n (1 .. 200)
	{
		$full = ($node->psql('postgres', "SELECT pg_notify('noise', $n || repeat('x', 7900))"))[2] =~ /too many notifications/ and last;
	}
	ok($full, 'a listener in a transaction fills the queue');
	is(increment($node, $session, 50), 'processing', 'applications count on');
	is(counted($node, $session), $exact + 51, 'the worker folds');
	ok(wait_until(sub { sql('SELECT last_error FROM sync.pg_stat_sync_progress') =~ /too many notifications/ }, 'the error'), 'and says what is wrong');
	$stuck->query_safe('COMMIT');
	$stuck->quit;
	ok($listener->wait_for("quick:$session", sub { $_->{data}{processed_count} == $exact + 51 }, 30), 'when the queue has room again what was not told is');
	is(worker_pid($node), $worker, 'by the worker that was there');
	$listener->quit;
}

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
