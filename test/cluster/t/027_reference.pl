# The documentation is what the server has: every public function, view, table and
# setting, with its arguments, and nothing else; and every example works.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../../..";
my $node = new_cluster('reference');

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub document { my $text = slurp_file("$top/$_[0]"); utf8::encode($text) if utf8::is_utf8($text); return $text; }

# Both sorted, so that what differs is seen.
sub same
{
	my ($documented, $there, $name) = @_;
	my %there = map { $_ => 1 } @$there;
	my %documented = map { $_ => 1 } @$documented;
	is(join("\n", sort grep { !$there{$_} } @$documented), '', "$name: what is documented is there");
	is(join("\n", sort grep { !$documented{$_} } @$there), '', "$name: what is there is documented");
	is(scalar(keys %documented), scalar(@$documented), "$name: once");
}

my $reference = document('doc/reference.md');

# -- functions, with arguments, defaults and results --------------------------------
my @functions = split /\n/, sql(q{
	SELECT format('%s(%s) → %s', p.proname,
		coalesce((SELECT string_agg(format('%I %s', a.name, format_type(a.type, NULL))
			|| CASE WHEN a.n > p.pronargs - p.pronargdefaults
				THEN ' = ' || regexp_replace(pg_get_function_arg_default(p.oid, a.n::integer), '::[a-z ]+(\[\])?$', '') ELSE '' END, ', ' ORDER BY a.n)
			FROM unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a (name, type, n) WHERE a.n <= p.pronargs), ''),
		CASE WHEN p.proretset THEN 'rows of ' ELSE '' END || coalesce((SELECT '(' || string_agg(format('%I %s', a.name, format_type(a.type, NULL)), ', ' ORDER BY a.n) || ')'
			FROM unnest(p.proargnames, p.proallargtypes) WITH ORDINALITY AS a (name, type, n) WHERE a.n > p.pronargs), regexp_replace(format_type(p.prorettype, NULL), '^sync\.', '')))
	FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'sync_progress'
	JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	WHERE obj_description(p.oid, 'pg_proc') !~ '^Internal'});
cmp_ok(scalar(@functions), '>', 40, 'there are functions to look for');
same([ $reference =~ /^### (\w+\(.*)$/mg ], \@functions, 'functions');

my @relations = split /\n/, sql(q{
	SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'View' ELSE 'Table' END, c.relname)
	FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'sync_progress'
	JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	WHERE c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') !~ '^Internal'});
same([ $reference =~ /^### ((?:View|Table) \w+)$/mg ], \@relations, 'tables and views');
like($reference, qr/\(settings\.md\)/, 'it leads to the settings');

# A manual in psql, too.
is(sql(q{SELECT string_agg(format('%s.%s', c.relname, a.attname), ', ') FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relnamespace = 'sync'::regnamespace AND c.relkind IN ('r', 'v') AND coalesce(col_description(c.oid, a.attnum), '') = ''}), '', 'every column of every table and view says what it is');

# -- examples ------------------------------------------------------------------------
my $script = join '', $reference =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar(() = $script =~ /^SELECT/mg), '>', 40, 'there are examples to try');
$script =~ s/\s+\\watch.*$/;/mg;    # of 15 it has no end
my ($code, $out, $error) = $node->psql('postgres', $script, on_error_stop => 1, timeout => 60);
is($error, '', 'every example works, in one session');
is($code, 0, 'to its end');
like($out, qr/^▓▓▓▓▓▓▓▓(?:░){12}$/m, 'and shows what it says');

# Each error that is named has a SQLSTATE that PostgreSQL or the extension knows.
my %states = map { $_ => 1 } qw(SP408 SP409);
my ($unknown) = join ' ', grep { !$states{$_} && sql("DO \$\$ BEGIN RAISE SQLSTATE '$_'; EXCEPTION WHEN SQLSTATE '$_' THEN NULL; END \$\$") ne '' } $reference =~ /`([0-9A-Z]{5})`/g;
is($unknown, '', 'errors are named by SQLSTATE');

# -- settings ------------------------------------------------------------------------
my @settings = split /\n/, sql(q{
	SELECT format('| `%s` | `%s` | %s| %s | %s |', name, boot_val, coalesce(unit || ' ', ''),
		CASE WHEN enumvals IS NOT NULL THEN (SELECT string_agg(v, ', ' ORDER BY v = boot_val DESC, v) FROM unnest(enumvals) AS v) WHEN vartype = 'integer' THEN min_val || ' to ' || max_val ELSE '1 to 63 bytes' END,
		CASE context WHEN 'postmaster' THEN 'restart' WHEN 'sighup' THEN 'reload' WHEN 'user' THEN 'session' ELSE context END)
	FROM pg_settings WHERE name LIKE 'sync\_progress.%'});
cmp_ok(scalar(@settings), '>', 7, 'there are settings to look for');
same([ document('doc/settings.md') =~ /^(\| `sync_progress\.\w+` \|[^|]*\|[^|]*\|[^|]*\|[^|]*\|) \S/mg ], \@settings, 'settings');
is(sql(q{SELECT string_agg(name, ', ') FROM pg_settings WHERE name LIKE 'sync\_progress.%' AND (coalesce(short_desc, '') = '' OR coalesce(extra_desc, '') = '')}), '', 'each is described, in short and at length');
is(sql(q{SELECT string_agg(name, ', ') FROM pg_settings WHERE name LIKE 'sync\_progress.%' AND name ~ '(interval|timeout)$' AND unit IS DISTINCT FROM 'ms'}), '', 'times have their unit');
is($node->psql('postgres', q{SET sync_progress.mode = 'often'}), 3, 'what a setting does not know is refused');

# -- rights: the snippets that users copy, and the function that does the same -----------
my ($snippet) = document('README.md') =~ /^   ```sql\n(   CREATE ROLE bridge LOGIN;\n.*?)^   ```$/ms;
ok($snippet, 'README has the grants');
sql("CREATE ROLE app; CREATE ROLE migrations; $snippet");
# What a role may execute, and read.
sub rights
{
	my ($role) = @_;
	return sql(qq{SELECT string_agg(x, ',' ORDER BY x) FROM (
		SELECT p.proname::text AS x FROM pg_proc AS p WHERE p.pronamespace = 'sync'::regnamespace AND has_function_privilege('$role', p.oid, 'EXECUTE')
		UNION ALL SELECT c.relname || ' ' || v FROM pg_class AS c, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS v WHERE c.relnamespace = 'sync'::regnamespace AND c.relkind IN ('r', 'v') AND has_table_privilege('$role', c.oid, v)
		UNION ALL SELECT 'usage' WHERE has_schema_privilege('$role', 'sync', 'USAGE')) AS r});
}
for my $role (qw(app bridge migrations)) { isnt(rights($role), '', "with them $role may do something"); }
my $session = sql(q{SET ROLE app; SELECT sync.sync_session_start('alice', total_count => 5, accounts => '[{"name":"x"}]')});
is(sql(qq{SET ROLE app; SELECT sync.sync_progress_increment($session, 2, 'processed', (SELECT id FROM sync.sync_session_accounts WHERE sync_session_id = $session)); SELECT processed_count FROM sync.sync_progress($session);
	SELECT sync.sync_session_complete($session)}), "processing\n2\ncompleted", 'with them an application counts');
is(sql(q{SET ROLE bridge; SELECT count(*) FROM sync.sync_progress_attach(); SELECT count(*) > 0 FROM sync.sync_progress_keys();
	SELECT count(*) FROM sync.sync_progress_sessions('{"scope":["admin"]}')}) =~ /^1\nt\n\d+$/, 1, 'and a bridge attaches');
for my $purpose (qw(monitor operator keys))
{
	sql("CREATE ROLE ${purpose}2; SELECT sync.sync_progress_grant('${purpose}2', '$purpose')");
}
is(sql(q{SET ROLE monitor2; SELECT count(*) FROM sync.pg_stat_sync_progress; SELECT count(w::text) > 5 FROM sync.sync_progress_watch AS w; SELECT count(*) > 20 FROM sync.sync_progress_doctor()}), "1\nf\nt", 'a monitor looks');
is(sql(q{SET ROLE operator2; SELECT sync.sync_progress_prune('100 years'); SELECT sync.sync_progress_flush(); SELECT sync.pg_stat_sync_progress_reset(); SELECT count(*) FROM sync.pg_stat_sync_progress}), "0\n\n\n1", 'an operator prunes, flushes, resets');
is(sql(q{SET ROLE keys2; SELECT sync.sync_progress_rotate_key() <> ''}), 't', 'who has the keys rotates them');
unlike(rights('monitor2'), qr/prune|rotate|flush|sync_sessions|sync_session_start/, 'a monitor does nothing else');
unlike(rights('operator2'), qr/rotate|sync_sessions |sync_session_start/, 'nor an operator');
for (['nobody', 'bridge', qr/42704.*role "nobody" does not exist.*HINT/s], ['app', 'root', qr/22023.*unknown purpose "root".*HINT.*application, bridge/s])
{
	my ($role, $purpose, $pattern) = @$_;
	(undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT sync.sync_progress_grant('$role', '$purpose')");
	like($error, $pattern, "grant to $role as $purpose is refused");
}

# -- what processes say of themselves ----------------------------------------------------
is(sql(q{SELECT string_agg(format('%s|%s', backend_type, application_name), ', ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'sync%'}),
	'sync_progress launcher|sync_progress launcher, sync_progress worker|sync_progress worker', 'processes have names');
ok(wait_until(sub { sql(q{SELECT string_agg(query, ', ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'sync%'}) eq 'waiting for databases that need a worker, waiting for increments' }, 'activity'), 'and say what they do: nothing');
my $event = sql('SHOW server_version_num') >= 170000 ? qr/^Extension SyncProgressWork$/ : qr/^Extension Extension$/;
ok(wait_until(sub { sql(q{SELECT wait_event_type || ' ' || wait_event FROM pg_stat_activity WHERE backend_type = 'sync_progress worker'}) =~ $event }, 'the wait event'), 'what the worker waits for has a name');
sql(q{CREATE FUNCTION slow(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN QUERY SELECT x, '{}'::json FROM unnest($1) AS x; END $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function) SELECT 'slow', 'Slow', 'id', 'public.slow(bigint[])', authorize_function FROM sync.sync_kinds WHERE kind = 'sync'});
# three more, should nobody have looked in time
ok(wait_until(sub { sql(q{SELECT count(sync.sync_session_start('slow', 'slow')) FROM generate_series(1, 3)}); wait_until(sub { sql(q{SELECT state || ' ' || query FROM pg_stat_activity WHERE backend_type = 'sync_progress worker'}) =~ /^active folding sessions: 3, ledger rows: \d+$/ }, 'the fold', 4) }, 'the fold'), 'a worker that folds says so, and how much');

# -- an update keeps what was granted and given --------------------------------------------
sub second { return $node->safe_psql('second', $_[0]); }
sql($_) for 'CREATE DATABASE second', 'CREATE ROLE looks', 'CREATE ROLE keeper';
second(q{CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync VERSION '1.0.0'; GRANT USAGE ON SCHEMA sync TO looks, keeper;
	GRANT SELECT ON sync.pg_stat_sync_progress TO looks; GRANT EXECUTE ON FUNCTION sync.sync_progress_stat TO looks; ALTER TABLE sync.sync_sessions OWNER TO keeper});
is(second('SET ROLE looks; SELECT count(*) FROM sync.pg_stat_sync_progress'), 1, 'somebody looks at the statistics of 1.0');
second(q{ALTER EXTENSION sync_progress UPDATE});
is(second('SET ROLE looks; SELECT count(*), max(ledger_heaps) >= 0 FROM sync.pg_stat_sync_progress'), '1|t', 'and still can after the update, and sees what is new');
is(second(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'sync'::regnamespace AND proowner <> 'keeper'::regrole}), 0, 'all functions are whose the tables are');

$node->stop('immediate');
done_testing();
