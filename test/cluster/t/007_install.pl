# Installing, dumping, restoring: with and without the library preloaded,
# beside an application's own tables.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('install', preload => 0, extension => 0);

sub sql { my ($text, $db) = @_; return $node->safe_psql($db // 'postgres', $text); }

sub dump_of
{
	my ($db, @options) = @_;
	my ($out, $err);
	my $ok = IPC::Run::run([ $node->installed_command('pg_dump'), '-h', $node->host, '-p', $node->port, @options, $db ], '>', \$out, '2>', \$err);
	ok($ok && $err eq '', "pg_dump of $db works") or diag($err);
	return $out;
}

sub restore
{
	my ($db, @parts) = @_;
	sql("CREATE DATABASE $db");
	my $err = '';
	my $ok = 1;
	for my $part (@parts)
	{
		$ok &&= IPC::Run::run([ $node->installed_command('psql'), '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db) ], '<', \$part, '>', '/dev/null', '2>>', \$err);
	}
	ok($ok && $err eq '', "its restore into $db works") or diag($err);
	return;
}

# -- not preloaded ------------------------------------------------------------
is($node->psql('postgres', 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync;'), 0, 'CREATE EXTENSION works without the library preloaded');
for my $call ("sync_progress_increment(1)", "sync_progress_increment_many(1, '{}')", "sync_progress_set(1, 1)", "sync_session_start('a')",
	'sync_progress_flush()', 'sync_progress_attach()', "sync_progress_subscribe('{x}', '{}', '{1}')")
{
	my ($code, $out, $err) = $node->psql('postgres', "SELECT sync.$call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  55000: .*\n(?:.*\n)*?HINT:  .*shared_preload_libraries/, "not preloaded: $call says so, and what to do (55000)");
	is(scalar(() = $err =~ /^psql:.*ERROR:/mg), 1, 'in one error');
}
my $dump = dump_of('postgres');
restore('unloaded', $dump);

# -- beside an application's own tables -----------------------------------------
sql('CREATE DATABASE app');
sql("CREATE TABLE public.sync_sessions (id serial PRIMARY KEY, mine text); INSERT INTO public.sync_sessions (mine) VALUES ('kept')", 'app');
my ($code, $out, $err) = $node->psql('app', 'CREATE EXTENSION sync_progress', extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($err, qr/ERROR:  42P07: .*sync_sessions/, 'bare CREATE EXTENSION beside public.sync_sessions is refused');
like($err, qr/HINT:  .*CREATE EXTENSION sync_progress SCHEMA sync/, 'and says what to do');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sync_progress'");
$node->restart;
sql('CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync;', 'app');
for my $path ('public', 'public, sync', 'sync, public')
{
	my $id = sql("SET search_path = $path; SELECT sync.sync_session_start('alice', total_count => 10)", 'app');
	is(sql("SET search_path = $path; SELECT sync.sync_progress_increment($id, 4)", 'app'), 'processing', "beside public.sync_sessions it works, search_path $path");
	is(counted($node, $id, 'app'), 4, 'and counts');
	is(sql("SET search_path = $path; SELECT sync.sync_session_complete($id)", 'app'), 'completed', 'and completes');
	# its end is shown once it has been folded
	ok(wait_until(sub { sql("SET search_path = $path; SELECT payload ->> 'status' FROM sync.sync_progress_snapshots('{sync:$id}')", 'app') eq 'completed' }, 'the end'), 'and is told');
}
is(sql('SELECT mine FROM public.sync_sessions', 'app'), 'kept', 'the application\'s table is as it was');
sql('CREATE DATABASE alone');
is($node->psql('alone', 'CREATE EXTENSION sync_progress'), 0, 'without such a table it can be in public as well');
sql("SELECT sync_progress_increment(sync_session_start('a'), 1)", 'alone');

# -- dump and restore -------------------------------------------------------------
sql(q{CREATE SCHEMA app;
	CREATE FUNCTION app.payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$ SELECT id, json_build_object('n', processed_count)
		FROM sync.sync_sessions WHERE id = ANY (session_ids) $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function) VALUES ('mine', 'MineChannel', 'id', 'app.payload(bigint[])', 'sync.sync_may_watch(bigint,jsonb)');
	UPDATE sync.sync_kinds SET every_count = 77 WHERE kind = 'sync'; UPDATE sync.sync_kinds SET every_count = 33 WHERE kind = 'mesh'}, 'app');
my $folded = sql(q{SELECT sync.sync_session_start('bob', title => 'Über', accounts => '[{"name":"a","total_count":20},{"name":"b","total_count":30}]')}, 'app');
my $mine = sql(q{SELECT sync.sync_session_start('bob', 'mine')}, 'app');
sql("SELECT sync.sync_progress_increment($folded, 7, 'processed', (SELECT min(id) FROM sync.sync_session_accounts WHERE sync_session_id = $folded)); SELECT sync.sync_progress_increment($mine, 3)", 'app');
counted($node, $folded, 'app');
my $app = $node->background_psql('app');
$app->query_safe("BEGIN; SELECT count(*) FROM (SELECT FROM sync.sync_sessions WHERE id IN ($folded, $mine) FOR UPDATE) AS l;");
sql("SELECT sync.sync_progress_increment_many($folded, '{\"processed\":5,\"seen\":2}', (SELECT max(id) FROM sync.sync_session_accounts WHERE sync_session_id = $folded)); SELECT sync.sync_progress_increment($mine, 10)", 'app');
is(sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $folded", 'app'), 7, 'some of it is not folded');
my $state = q{SELECT string_agg(concat_ws('|', session_id, kind, source_id, owner_id, title, status, processed_count, total_count, counters, started_at, completed_at), E'\n' ORDER BY session_id) FROM sync.sync_progress};
my $before = sql($state, 'app');
$dump = dump_of('app');
my $keys = sql('SELECT string_agg(kid || jwk, \',\') FROM sync.sync_keys', 'app');
unlike($dump, qr/\Q$_\E/, 'a dump has no signing key') for sql("SELECT jwk ->> 'k' FROM sync.sync_keys", 'app');
restore('restored', $dump);
is(sql($state, 'restored'), $before, 'the restored copy has every session, its state exact from the first moment');
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $folded", 'restored') == 12 }, 'the fold'), 'what was not folded is folded there');
is(sql($state, 'restored'), $before, 'to the same state');
is(sql("SELECT string_agg(name || ' ' || processed_count, ',' ORDER BY position) FROM sync.sync_session_accounts WHERE sync_session_id = $folded", 'restored'), 'a 7,b 5', 'accounts included');
is(sql('SELECT string_agg(kind || \' \' || every_count, \',\' ORDER BY kind) FROM sync.sync_kinds', 'restored'), 'batch 100,connection 100,mesh 33,mine 100,sync 77', 'kinds are kept, built-in ones with their settings');
is(sql("SELECT payload ->> 'n' FROM sync.sync_progress_snapshots('{mine:$mine}')", 'restored'), 13, 'and speak');
isnt(sql('SELECT string_agg(kid || jwk, \',\') FROM sync.sync_keys', 'restored'), $keys, 'the copy has a key of its own');
cmp_ok(sql(q{SELECT sync.sync_session_start('new')}, 'restored'), '>', $mine, 'new sessions get new ids');
is(sql(q{WITH a AS (INSERT INTO sync.sync_session_accounts (sync_session_id, name) VALUES (} . $mine . q{, 'x') RETURNING id) SELECT id > (SELECT max(id) FROM sync.sync_session_accounts) FROM a}, 'restored'),
	't', 'and so do accounts');
# The worker there looks before all is restored.  The counts of an account that
# was not there yet were lost: the session got them, and it did not.
my ($first, $second) = $dump =~ /\A(.*?)(^COPY sync\.sync_session_accounts .*)\z/ms;
$second =~ s/^\\unrestrict .*$//m;
like($first, qr/^COPY sync\.sync_sessions .*\b$folded\b/ms, 'sessions are before accounts in a dump');
restore('restored_slowly', $first, 'SELECT sync.sync_progress_flush();', "SET search_path = '';\n$second");
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $folded", 'restored_slowly') == 12 }, 'the fold'), 'a worker that looks in the middle of a restore waits for its end');
is(sql("SELECT string_agg(name || ' ' || processed_count, ',' ORDER BY position) FROM sync.sync_session_accounts WHERE sync_session_id = $folded", 'restored_slowly'), 'a 7,b 5', 'accounts included');
is(sql("SELECT sum(processed_count) FROM sync.sync_sessions WHERE id IN ($folded, $mine)", 'app'), 10, 'the dump has folded nothing');
$app->query_safe('COMMIT');
$app->quit;
is(counted($node, $folded, 'app') . ' ' . counted($node, $mine, 'app'), '12 13', 'and lost nothing');

# a second restore is of the restored copy, everything folded
sql('SELECT sync.sync_progress_flush()', 'restored');
restore('restored_twice', dump_of('restored'));
is(sql($state, 'restored_twice'), sql($state, 'restored'), 'a dump of the copy restores, too');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
