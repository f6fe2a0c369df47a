# What administrators do to a server that works: end the launcher, move a
# database, take the last free process, change each setting that SIGHUP can
# change, grant or not; and what applications bring: an empty search_path,
# wrappers, parallel plans.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# room for the launcher and one worker
my $node = new_cluster('hands', conf => "max_worker_processes = 2\nmax_logical_replication_workers = 0\nmax_parallel_workers = 0\n");

sub sql { my ($text, $db) = @_; return $node->safe_psql($db // 'postgres', $text); }

sub launcher { return sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync_progress launcher'}); }

sub refusal { my ($text) = @_; return ($node->psql('postgres', $text, extra_params => [ '-v', 'VERBOSITY=verbose' ]))[2]; }

my $create = 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync;';
quick_kind($node, '50 milliseconds', '100 milliseconds');
my $session = new_session($node, "kind => 'quick'");
my $worker = wait_for_worker($node);

# -- no free process for a worker: one warning, and one when there is ------------------
sql('CREATE DATABASE second');
sql($create, 'second');
my $offset = -s $node->logfile;
my $waiting = new_session($node, undef, 'second');
increment($node, $waiting, 2, 'second') for 1 .. 3;
is(sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($waiting, 5)", 'second'), 'processing', 'with no process free increments go on, in live mode, too');
is(sql("SELECT processed_count FROM sync.sync_progress($waiting)", 'second'), 11, 'and the view is exact');
my $warning = qr/WARNING:  no free background worker slot for sync_progress\n.*DETAIL:  Increments are counted.*\n.*HINT:  Increase max_worker_processes/;
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ $warning }, 'the warning'), 'the log says so, and what to do');
# more tries, each a second after the one before
my $end = time + 2.5;
wait_until(sub { increment($node, $waiting, 1, 'second'); time > $end }, 'more tries');
is(scalar(() = slurp_file($node->logfile, $offset) =~ /no free background worker slot/g), 1, 'once');
is(worker_pid($node), $worker, 'the other database has its worker');
my $exact = sql("SELECT processed_count FROM sync.sync_progress($waiting)", 'second');
sql("SELECT sync.sync_session_complete($session)");
sql('CREATE TABLE kept AS SELECT * FROM sync.sync_sessions; DROP EXTENSION sync_progress CASCADE; DROP SCHEMA sync');
ok(wait_for_worker($node, 'second'), 'when a process becomes free the database that waited has it, by itself');
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $waiting", 'second') == $exact }, 'the fold'), 'which folds what was left');
sql('DROP DATABASE second');
sql($_) for 'ALTER SYSTEM SET max_worker_processes = 8', 'ALTER SYSTEM SET max_parallel_workers = 8';
$node->restart;
sql($create);
quick_kind($node, '50 milliseconds', '100 milliseconds');

# -- the launcher is ended ---------------------------------------------------------------
$session = new_session($node, "kind => 'quick'");
$worker = wait_for_worker($node);
my $launcher = launcher();
sql("SELECT pg_terminate_backend($launcher)");
ok(wait_until(sub { my $next = launcher(); $next =~ /^\d+$/ && $next ne $launcher }, 'another launcher'), 'a launcher that is terminated is started again');
is(worker_pid($node), $worker, 'its workers live on');
increment($node, $session, 3);
is(counted($node, $session), 3, 'and work');
sql("SELECT pg_terminate_backend($worker)");
isnt(wait_for_worker($node, 'postgres', $worker), $worker, 'the new launcher keeps them');
# both at once, and somebody counts
$worker = worker_pid($node);
$launcher = launcher();
sql("SELECT pg_terminate_backend($launcher), pg_terminate_backend($worker), sync.sync_progress_increment($session, 4)");
isnt(wait_for_worker($node, 'postgres', $worker), $worker, 'launcher and worker at once: both come again');
is(counted($node, $session), 7, 'nothing is lost');

# -- SET TABLESPACE ---------------------------------------------------------------------
my $space = PostgreSQL::Test::Utils::tempdir_short();
sql('CREATE DATABASE moved');
sql("CREATE TABLESPACE elsewhere LOCATION '$space'");
sql($create, 'moved');
my $moved = new_session($node, undef, 'moved');
increment($node, $moved, 6, 'moved');
wait_for_worker($node, 'moved');
is($node->psql('postgres', 'ALTER DATABASE moved SET TABLESPACE elsewhere'), 0, 'ALTER DATABASE SET TABLESPACE, though a worker lives there');
increment($node, $moved, 1, 'moved');
is(counted($node, $moved, 'moved'), 7, 'it goes on counting');
ok(wait_for_worker($node, 'moved'), 'with a worker');
is($node->psql('postgres', 'ALTER DATABASE moved WITH ALLOW_CONNECTIONS false'), 0, 'connections can be forbidden');
is($node->psql('postgres', 'ALTER DATABASE moved SET TABLESPACE pg_default'), 0, 'and it can be moved back then');
$offset = -s $node->logfile;
is($node->psql('postgres', 'DROP DATABASE moved'), 0, 'and dropped');
cmp_ok(scalar(() = slurp_file($node->logfile, $offset) =~ /is not currently accepting connections/g), '<=', 2, 'no worker knocks at it over and over');

# -- SIGHUP: each setting that it can change -----------------------------------------------
my $listener = SyncProgress::Listener->new($node);
$listener->ask('SELECT sync.sync_progress_attach()');
sub set { my ($name, $value) = @_; sql("ALTER SYSTEM SET sync_progress.$name = '$value'"); $node->reload; return; }
$worker = wait_for_worker($node);
set('heartbeat_interval', '100ms');
my $beats = sub { return scalar grep { $_->{type} eq 'heartbeat' } $listener->all };
my $had = $beats->();
ok(wait_until(sub { $beats->() >= $had + 4 }, 'heartbeats'), 'heartbeat_interval: the worker beats ten times a second from then on');
set('heartbeat_interval', '10min');
set('notify', 'hint');
my $hinted;
ok(wait_until(sub { increment($node, $session, 1); $hinted = $listener->wait_for("quick:$session", sub { !$_->{data} }, 1) }, 'a hint'), 'notify: from then on hints');
set('notify', 'data');
$listener->forget;
ok(wait_until(sub { increment($node, $session, 1); $listener->wait_for("quick:$session", sub { $_->{data} }, 1) }, 'data'), 'and data again');
sql(q{INSERT INTO sync.sync_kinds (kind, channel, param, every_count, min_interval, every_interval, payload_function, authorize_function)
	SELECT 'rare', 'RareChannel', 'id', 1000000000, '1 hour', '1 hour', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
my $rare = new_session($node, "kind => 'rare'");
$listener->wait_for("rare:$rare", sub { 1 });
set('flush_interval', '1min');
sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($rare)");
flush($node);
set('flush_interval', '10ms');
my $live = 1;
ok(wait_until(sub { $live++; sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($rare)"); wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $rare") == $live }, 'the flush', 2) }, 'quick flushes'), 'flush_interval: what is counted live is written that soon from then on');
set('payload_timeout', '100ms');
sql(q{CREATE FUNCTION slow(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(30); END $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
	SELECT 'slow', 'SlowChannel', 'id', 'public.slow(bigint[])', authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
my $slow = new_session($node, "kind => 'slow'");
ok(wait_until(sub { sql('SELECT last_error FROM sync.pg_stat_sync_progress') =~ /slow/ }, 'the error', 10), 'payload_timeout: a function is cancelled that soon from then on');
sql("DELETE FROM sync.sync_sessions WHERE id = $slow");
is(worker_pid($node), $worker, 'all of it by the worker that was there');
is(sql(q{SELECT string_agg(name, ' ' ORDER BY name) FROM pg_settings WHERE name LIKE 'sync_progress.%' AND context = 'sighup'}), join(' ', map { "sync_progress.$_" } qw(flush_interval heartbeat_interval notify payload_timeout)), 'there are no others');

# -- roles ---------------------------------------------------------------------------------
sql('CREATE ROLE stranger; CREATE ROLE guest; CREATE ROLE app; GRANT USAGE ON SCHEMA sync TO guest, app; GRANT EXECUTE ON FUNCTION sync.sync_progress_increment, sync.sync_session_start TO app');
like(refusal("SET ROLE stranger; SELECT sync.sync_progress_increment($session)"), qr/ERROR:  42501: permission denied for schema sync/, 'a role without USAGE is told of the schema');
like(refusal("SET ROLE guest; SELECT sync.$_"), qr/ERROR:  42501: permission denied for function sync_\w+/, "a role without EXECUTE is told of the function: $_")
  for "sync_progress_increment($session)", "sync_progress_set($session, 1)", "sync_session_start('x')", "sync_session_pause($session)", 'sync_progress_flush()', 'sync_progress_attach()', "sync_progress_token('x')";
like(refusal("SET ROLE guest; SELECT * FROM sync.$_"), qr/ERROR:  42501: permission denied for (?:view|table) $_/, "or of the relation: $_") for 'sync_progress', 'sync_sessions', 'pg_stat_sync_progress';

# -- wrappers, search_path ---------------------------------------------------------------------
sql(qq{CREATE FUNCTION done(n bigint) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS \$\$ SELECT sync.sync_progress_increment($session, n) \$\$;
	ALTER FUNCTION done(bigint) OWNER TO app});
my $before = sql("SELECT processed_count FROM sync.sync_progress($session)");
is(sql('SET ROLE stranger; SELECT public.done(5)'), 'processing', 'a SECURITY DEFINER wrapper of a role that may count lets another count');
is(sql("SET search_path = ''; SELECT sync.sync_progress_increment($session, 6)"), 'processing', 'an empty search_path is enough');
is(sql("SET search_path = ''; SELECT sync.sync_progress_increment_many($session, '{\"processed\":7}')"), 'processing', 'for many counts');
is(counted($node, $session), $before + 18, 'all are counted');
is(sql("SET search_path = ''; SELECT processed_count FROM sync.sync_progress($session)"), $before + 18, 'and seen');
my $traps = join ' ', map { "CREATE FUNCTION trap.$_ LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'trapped'; END \$\$;" }
  'floor(numeric) RETURNS numeric', 'greatest_of(bigint) RETURNS bigint', 'now() RETURNS timestamptz', 'clock_timestamp() RETURNS timestamptz', 'count(bigint) RETURNS bigint', 'round(numeric, int) RETURNS numeric', 'format(text, bigint) RETURNS text';
sql("CREATE SCHEMA trap; $traps");
my $whole = "SELECT sync.sync_progress_increment(sync.sync_session_start('t', total_count => 3, accounts => '[{\"name\":\"a\"}]')); SELECT count(*) > 0 FROM sync.sync_progress; SELECT sync.sync_session_complete(max(id)) FROM sync.sync_sessions;";
is(sql("SET search_path = trap, pg_catalog; $whole"), "processing\nt\ncompleted", 'functions in front of pg_catalog trap nothing');
is(sql("SET search_path = ''; $whole"), "processing\nt\ncompleted", 'a whole run under an empty search_path');

# -- parallel plans -------------------------------------------------------------------------------
sql('CREATE TABLE wide AS SELECT n, repeat(\'x\', 200) AS filler FROM generate_series(1, 20000) AS n; ANALYZE wide');
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;';
like(sql("$parallel EXPLAIN SELECT sum(n) FROM wide"), qr/Gather/, 'plans are parallel');
unlike(sql("$parallel EXPLAIN SELECT sync.sync_progress_increment($session, n) FROM wide"), qr/Gather/, 'but none that counts');
$before = sql("SELECT processed_count FROM sync.sync_progress($session)");
sql("$parallel SELECT count(sync.sync_progress_increment($session, 1)) FROM wide");
is(counted($node, $session), $before + 20000, 'each row is counted once');
my $force = $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
is(sql("SET $force = on; $parallel SELECT processed_count FROM sync.sync_progress WHERE session_id = $session"), $before + 20000, 'the view is exact where every plan is made parallel');
is(sql("SET $force = on; $parallel SELECT sync.sync_progress_increment($session)"), 'processing', 'and counting works there');
is(sql("$parallel SELECT count(*) FROM wide WHERE sync.sync_progress_percentage(n, 20000, 'processing') >= 50"), 10001, 'percentages may be computed by many');

$listener->quit;
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
