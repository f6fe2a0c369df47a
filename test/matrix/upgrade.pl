# pg_upgrade from an older PostgreSQL, the one in OLD_BINDIR: what was counted in
# either mode and not folded, keys, kinds with functions of their own, tracked
# tables; a database whose SQL is of the first version still; and a bridge.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../cluster/lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;

my ($old_path) = $ENV{OLD_BINDIR} =~ m{^(.*)/bin$} or die 'OLD_BINDIR is not set';
# checksums are on by default from 18 on, and must be the same in both
my %both = (extension => 0, initdb => ['--data-checksums'], conf => "sync_progress.flush_interval = 1min\nmax_wal_senders = 0\n");
my $old = new_cluster('old', install_path => $old_path, %both);
my $new = new_cluster('new', start => 0, %both);
note(sprintf 'from %s to %s', $old->{_pg_version}, $new->{_pg_version});
cmp_ok($old->{_pg_version}, '<', $new->{_pg_version}, 'it is an upgrade');

my $node = $old;
sub sql { my ($text, $db) = @_; return $node->safe_psql($db // 'postgres', $text); }
sub counts { my ($db) = @_; return sql('SELECT sum(processed_count) FROM sync.sync_sessions', $db); }

# Every state as the exact view has it, what is not folded included.
sub states
{
	my ($db) = @_;
	return sql(q{SELECT string_agg(concat_ws('|', session_id, kind, source_id, owner_id, title, status, processed_count, total_count, error_count, counters,
		started_at, completed_at), E'\n' ORDER BY session_id) FROM sync.sync_progress}, $db);
}

sub accounts { return sql(q{SELECT string_agg(name || ' ' || processed_count, ',' ORDER BY id) FROM sync.sync_session_accounts}); }

# -- the old cluster ------------------------------------------------------------
sql('CREATE ROLE bridge LOGIN; CREATE ROLE app LOGIN; CREATE DATABASE live; CREATE DATABASE first');
sql('CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync', $_) for 'postgres', 'live';
sql(q{CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync VERSION '1.0.0'}, 'first');
sql(q{CREATE SCHEMA app;
	CREATE FUNCTION app.payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
		SELECT id, json_build_object('n', processed_count) FROM sync.sync_sessions WHERE id = ANY (session_ids) $$;
	CREATE FUNCTION app.may_watch(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT claims ->> 'sub' = 'eve' $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, min_interval, every_interval, payload_function, authorize_function)
		VALUES ('mine', 'MineChannel', 'id', '10 milliseconds', '20 milliseconds', 'app.payload(bigint[])', 'app.may_watch(bigint,jsonb)');
	SELECT sync.sync_progress_grant('bridge', 'bridge'); SELECT sync.sync_progress_grant('app', 'application');
	SELECT sync.sync_progress_rotate_key();
	CREATE TABLE app.imports (id bigint PRIMARY KEY, owner text, total bigint, done bigint);
	INSERT INTO app.imports SELECT n, 'carl', 100, n FROM generate_series(1, 50) AS n;
	SELECT sync.sync_progress_track('app.imports', 'mine', '{"id":"id","owner_id":"owner","total_count":"total","processed_count":"done"}')});
my $keys = sql('SELECT string_agg(kid || jwk, E\'\n\' ORDER BY kid) FROM sync.sync_keys');
my $mine = sql(q{SELECT sync.sync_session_start('eve', 'mine', total_count => 1000, source_id => 'm')});
my $parts = sql(q{SELECT sync.sync_session_start('bob', title => 'Über', accounts => '[{"name":"a","total_count":20},{"name":"b","total_count":30}]')});
my $ended = sql(q{SELECT sync.sync_session_start('bob')});
sql("SELECT sync.sync_progress_increment($mine, 5); SELECT sync.sync_progress_increment($ended, 6); SELECT sync.sync_session_complete($ended)");
flush($node);

# live counts, told once and flushed by nothing but the stop
my $live = sql(q{SELECT sync.sync_session_start('bob', total_count => 1000)}, 'live');
flush($node, 'live');
my $first = sql(q{SELECT sync.sync_session_start('bob', total_count => 1000)}, 'first');
sql("SELECT sync.sync_progress_increment($first, 3)", 'first');
flush($node, 'first');
sql(q{INSERT INTO sync.sync_kinds (kind, channel, param, every_count, min_interval, every_interval, payload_function, authorize_function)
	SELECT 'rare', 'RareChannel', 'id', 1000000000, '1 hour', '1 hour', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync'}, 'live');
my $rare = sql(q{SELECT sync.sync_session_start('bob', 'rare', total_count => 1000)}, 'live');
sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($rare, 1)", 'live');
flush($node, 'live');
sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($rare, 39); SELECT sync.sync_progress_increment($live, 2, 'seen')", 'live');
is(sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $rare", 'live'), 1, 'live counts are in memory');
is(sql("SELECT processed_count FROM sync.sync_progress($rare)", 'live'), 40, 'and in the view');

# increments that nobody has folded: there is no worker here
my $folded = counts();
my $launcher = end_worker($node);
sql("SELECT sync.sync_progress_increment($mine, 100); SELECT sync.sync_progress_increment($parts, 7, 'processed', (SELECT min(id) FROM sync.sync_session_accounts));
	SELECT sync.sync_progress_increment_many($parts, '{\"processed\":2,\"error\":1,\"seen.Message\":4}', (SELECT max(id) FROM sync.sync_session_accounts));
	UPDATE app.imports SET done = done + 1 WHERE id <= 10");
is(counts(), $folded, 'increments are not folded');
my %before = map { $_ => states($_) } 'postgres', 'live', 'first';
my $newest = sql('SELECT max(version) FROM sync.sync_sessions');
stop_without_worker($node, $launcher);

# -- pg_upgrade --------------------------------------------------------------------
chdir $ENV{TESTDIR} or die $!;
my @upgrade = ('pg_upgrade', '--no-sync', '--old-datadir', $old->data_dir, '--new-datadir', $new->data_dir, '--old-bindir', "$old_path/bin",
	'--new-bindir', $new->config_data('--bindir'), '--socketdir', $new->host, '--old-port', $old->port, '--new-port', $new->port);
command_ok([ @upgrade, '--check' ], 'pg_upgrade --check has nothing against it, the library preloaded in both');
command_ok(\@upgrade, 'pg_upgrade works');
ok(!-e $new->data_dir . '/pg_stat/sync_progress.live', 'and had no leftover to carry over');

# -- the new cluster -----------------------------------------------------------------
$node = $new;
$node->start;
is(states($_), $before{$_}, "database $_: every state is exact from the first moment") for 'postgres', 'live', 'first';
ok(wait_for_worker($node, $_), "database $_: its worker runs") for 'postgres', 'live', 'first';
flush($node, $_) for 'postgres', 'live', 'first';
is(states($_), $before{$_}, "database $_: and when all is folded") for 'postgres', 'live', 'first';
is(counts(), $folded + 100 + 9 + 10, 'what was not folded is');
is(accounts(), 'a 7,b 2', 'accounts included');
is(sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $rare", 'live'), 40, 'live counts were flushed by the stop');
is(sql("SELECT counters ->> 'seen' FROM sync.sync_sessions WHERE id = $live", 'live'), 2, 'of other fields as well');
cmp_ok(sql("SELECT version FROM sync.sync_sessions WHERE id = $mine"), '>', $newest, 'versions have grown');

is(sql('SELECT string_agg(kid || jwk, E\'\n\' ORDER BY kid) FROM sync.sync_keys'), $keys, 'keys are the same');
is(sql(q{SELECT ok FROM sync.sync_progress_doctor() WHERE check_name = 'kinds'}), 't', 'kinds speak by their own functions');
my $identifier = q{{"channel":"MineChannel","id":"m"}};
is(sql(qq{SELECT payload ->> 'n' FROM sync.sync_progress_subscribe(ARRAY['$identifier'], ARRAY['{"sub":"eve"}'::jsonb], '{1}')}), 105, 'who may watch is shown them');
sql('UPDATE app.imports SET done = 99 WHERE id = 50');
flush($node);
is(sql(q{SELECT processed_count FROM sync.sync_sessions WHERE kind = 'mine' AND source_id = '50'}), 99, 'a tracked table drives its sessions');

my $listener = SyncProgress::Listener->new($node);
sql("SET ROLE app; SELECT sync.sync_progress_increment($mine, 1)");
my $told = $listener->wait_for('mine:m', sub { $_->{data} && $_->{data}{n} == 106 });
ok($told, 'increments by whoever might are counted, and told');
sql("SET sync_progress.mode = live; SELECT sync.sync_progress_increment($mine, 1)");
ok($listener->wait_for('mine:m', sub { $_->{data} && $_->{data}{n} == 107 }), 'live ones, too');

# -- SQL of the first version ---------------------------------------------------------
sql("SELECT sync.sync_progress_increment($first, 4)", 'first');
is(counted($node, $first, 'first'), 7, 'a database with the SQL of 1.0.0 goes on counting');
sql('ALTER EXTENSION sync_progress UPDATE', 'first');
is(sql(q{SELECT ok FROM sync.sync_progress_doctor() WHERE check_name = 'kinds'}, 'first'), 't', 'and is updated there');
is(counted($node, $first, 'first'), 7, 'with all its counts');

# -- a bridge ------------------------------------------------------------------------------
my $program = "$FindBin::RealBin/../../bridge/sync-progress-bridge";
my $port = PostgreSQL::Test::Cluster::get_free_port();
my @settings = ('--listen', "127.0.0.1:$port", '--db', sprintf('host=%s port=%d dbname=postgres user=bridge', $node->host, $node->port));
my ($said, $found) = ('', '');
my $bridge = IPC::Run::start([ $program, @settings ], '<', \undef, '>&', \$said);
wait_until(sub { $found = ''; IPC::Run::run([ $program, '--doctor', @settings ], '>&', \$found); $found =~ /^ok +canary/m }, 'the canary');
like($found, qr/^ok +canary/m, 'a bridge attaches, and what is told comes out of it') or diag($found, $said);
like($found, qr/^ok +versions/m, 'and finds versions that fit');
$bridge->signal('TERM');
ok($bridge->finish, 'it stops') or diag($said);

$node->stop('fast');
unlike(slurp_file($_->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed') for $old, $new;
unlike(slurp_file($new->logfile), qr/(?:ERROR|WARNING): /, 'nor complained');
done_testing();
