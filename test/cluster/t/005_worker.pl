# The worker's life: one per database, on demand and after a restart; it stands
# in nobody's way when databases and the extension come and go.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('worker', conf => "log_min_messages = debug1\n");

sub sql { my ($text, $db) = @_; return $node->safe_psql($db // 'postgres', $text); }
my $create = 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync;';

# on demand
my $session = new_session($node);
increment($node, $session, 1);
my $worker = wait_for_worker($node);
like($worker, qr/^\d+$/, 'the first use starts one worker');
like(sql("SELECT backend_type FROM pg_stat_activity WHERE pid = $worker"), qr/^sync_progress/, 'pg_stat_activity shows what it is');
is(sql('SELECT worker_pid FROM sync.pg_stat_sync_progress'), $worker, 'pg_stat_sync_progress which it is');
is(sql('SELECT worker_pid FROM sync.sync_progress_attach()'), $worker, 'and attach as well');
is(sql('SELECT channel FROM sync.sync_progress_attach()'), 'sync_progress', 'attach names the channel');
cmp_ok(sql('SELECT heartbeat_interval_ms FROM sync.sync_progress_attach()'), '>', 0, 'and the heartbeat interval');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sync_progress%' AND datname = 'postgres'"), 1, '[001-08] there is one a database');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sync_progress%' AND state = 'idle in transaction'"), 0, 'it holds no transaction open');

# by attach alone
sql('CREATE DATABASE attached');
sql($create, 'attached');
my $bridge = $node->background_psql('attached');
ok(wait_until(sub { $bridge->query_safe('SELECT worker_pid FROM sync.sync_progress_attach()') > 0 }, 'a worker'), 'a bridge that attaches starts a worker in a database nobody has used');
is($bridge->query_safe('SELECT attached FROM sync.pg_stat_sync_progress'), 1, 'it is registered once, however often it asks');
# a server process ends after its client
ok(wait_until(sub { sql('SELECT attached FROM sync.pg_stat_sync_progress') == 0 }, 'those that attached to end'), 'those that have gone are not registered any more');
$bridge->quit;

# two databases
my $other = new_session($node, undef, 'attached');
increment($node, $other, 5, 'attached');
increment($node, $session, 2);
is(counted($node, $other, 'attached'), 5, 'two databases are counted');
is(counted($node, $session), 3, 'each for itself');
isnt(wait_for_worker($node, 'attached'), $worker, 'by a worker each');
my $here = SyncProgress::Listener->new($node);
my $there = SyncProgress::Listener->new($node, 'attached');
my $told = new_session($node, "source_id => 'told-here'");
ok($here->wait_for('sync:told-here', sub { 1 }), 'and told');
is(scalar($there->of('sync:told-here')), 0, 'to nobody elsewhere');
$_->quit for $here, $there;

# after a restart
$node->restart;
ok(wait_for_worker($node), 'after a restart a worker is there, in one database');
ok(wait_for_worker($node, 'attached'), 'and in the other, before anyone uses them');

# a database that must not have one
sql('CREATE DATABASE bare');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'bare' AND backend_type LIKE 'sync_progress%'"), 0, 'a database without the extension has no worker');

# databases come and go
is($node->psql('postgres', 'CREATE DATABASE copied TEMPLATE attached'), 0, 'CREATE DATABASE TEMPLATE, though a worker lives there');
SKIP:
{
	skip 'there is no copy', 2 if sql("SELECT count(*) FROM pg_database WHERE datname = 'copied'") == 0;
	is(counted($node, $other, 'copied'), 5, 'the copy has the counts');
	increment($node, $other, 1, 'copied');
	is(counted($node, $other, 'copied') . counted($node, $other, 'attached'), '65', 'and counts on its own');
}
sql('CREATE DATABASE passing');
sql($create, 'passing');
my $passing = new_session($node, undef, 'passing');
increment($node, $passing, 6, 'passing');
wait_for_worker($node, 'passing');
is($node->psql('postgres', 'ALTER DATABASE passing RENAME TO renamed'), 0, 'ALTER DATABASE RENAME, though a worker lives there');
my ($name) = sql("SELECT datname FROM pg_database WHERE datname IN ('passing', 'renamed')");
increment($node, $passing, 1, $name);
is(counted($node, $passing, $name), 7, 'it goes on counting');
wait_for_worker($node, $name);
is($node->psql('postgres', "DROP DATABASE $name"), 0, 'DROP DATABASE, though a worker lives there');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sync_progress%' AND datname = '$name'"), 0, 'the worker is gone');
sql('CREATE ROLE plain LOGIN');
isnt($node->psql('postgres', 'DROP DATABASE attached', extra_params => [ '-U', 'plain' ]), 0, 'who may not drop a database');
is(counted($node, $other, 'attached'), 5, 'does not stop its worker either, not for good');
my $guest = $node->background_psql('attached');
isnt($node->psql('postgres', 'DROP DATABASE attached'), 0, 'nor does a DROP DATABASE that fails because somebody is connected');
increment($node, $other, 1, 'attached');
is(counted($node, $other, 'attached'), 6, 'after which it is counted as before');

# ... nor one that has to wait, while who is connected counts once more: it wants a worker again
my $oid = sql("SELECT oid FROM pg_database WHERE datname = 'attached'");
wait_for_worker($node, 'attached');
my $dropper = $node->background_psql('postgres', on_error_stop => 0);
$dropper->query_until(qr/dropping/, "\\echo dropping\nDROP DATABASE attached;\n");
wait_until(sub { worker_pid($node, 'attached') eq '' }, 'DROP DATABASE to send the worker away');
$guest->query_safe("SELECT sync.sync_progress_increment($other)");
$guest->quit;
$dropper->quit;
is(sql("SELECT count(*) FROM pg_database WHERE oid = $oid"), 0, 'DROP DATABASE, though somebody counted while it waited');
ok(wait_until(sub { slurp_file($node->logfile) =~ /database $oid is gone, and needs no worker/ }, 'the launcher to see it'), 'no worker is started there any more');

# the extension comes and goes
my $late = new_session($node);
sql("BEGIN; SELECT sync.sync_progress_increment($late, 3); DROP EXTENSION sync_progress CASCADE; ROLLBACK;");
increment($node, $late, 4);
is(counted($node, $late), 4, 'DROP EXTENSION rolled back: counts as before');
is($node->psql('postgres', 'DROP EXTENSION sync_progress'), 0, 'DROP EXTENSION, though the worker works');
is(sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'sync\\_%'"), 0, 'leaves nothing behind');
is($node->psql('postgres', 'DROP SCHEMA sync'), 0, 'not even in its schema');
sql($create);
my $fresh = new_session($node);
increment($node, $fresh, 8);
is(counted($node, $fresh), 8, 'CREATE EXTENSION again: counts');
my ($code, $out, $err) = $node->psql('postgres', "SELECT sync.sync_progress_increment($late)");
like($err, qr/sync session $late does not exist/, 'and knows nothing of sessions before');
my $listener = SyncProgress::Listener->new($node);
increment($node, $fresh, 1);
ok($listener->wait_for("sync:$fresh", sub { $_->{data}{processed_count} == 9 }), 'and tells');

# the same, in one session that has the old one in its caches
my $app = $node->background_psql('postgres');
$app->query_safe("SELECT sync.sync_progress_increment($fresh)");
sql('DROP EXTENSION sync_progress; DROP SCHEMA sync; CREATE SCHEMA "Sync Two"; CREATE EXTENSION sync_progress SCHEMA "Sync Two";');
my $moved = $app->query_safe(q{SELECT "Sync Two".sync_session_start('moved', accounts => '[{"name":"a","total_count":3}]')});
is($app->query_safe(qq{SELECT "Sync Two".sync_progress_increment($moved, 2)}), 'processing', 'a backend that used the old one uses the new one');
is($app->query_safe(qq{SELECT "Sync Two".sync_progress_flush(); SELECT processed_count FROM "Sync Two".sync_sessions WHERE id = $moved}) =~ s/\s//gr, 2,
	'in another schema, whose name must be quoted');
is($app->query_safe(qq{SELECT payload #>> '{accounts,0,name}' FROM "Sync Two".sync_progress_snapshots('{sync:$moved}')}), 'a', 'payloads included');
ok($listener->wait_for("sync:$moved", sub { $_->{data}{processed_count} == 2 }), 'and it is told');
$app->quit;
$listener->quit;

# signals
$worker = wait_for_worker($node);
sql('ALTER SYSTEM SET log_min_messages = warning; SELECT pg_reload_conf();');
is(worker_pid($node), $worker, 'SIGHUP leaves the worker running');
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
