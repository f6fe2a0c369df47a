# What doc/operations.md tells administrators to type, typed as it stands there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('operations', conf => "max_prepared_transactions = 2\n");
my $manual = slurp_file("$FindBin::RealBin/../../../doc/operations.md");
my @snippets = $manual =~ /^ *```sql\n(.*?)^ *```$/msg;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# -- an owner that is nobody -----------------------------------------------------
my ($owner) = grep { /sync_progress_set_owner/ } @snippets;
ok($owner, 'the manual says how to give the tables to a role');
sql($owner);
is(sql(q{SELECT string_agg(DISTINCT r.rolname, ',') FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner
	WHERE c.relnamespace = 'sync'::regnamespace AND c.relkind IN ('r', 'v')}), 'sync_owner', 'it owns tables and views');
is(sql(q{SELECT string_agg(DISTINCT r.rolname, ',') FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner WHERE p.pronamespace = 'sync'::regnamespace}),
	'sync_owner', 'and functions');
is(sql(q{SELECT has_schema_privilege('sync_owner', 'sync', 'CREATE')}), 'f', 'and may create nothing');

sql(q{CREATE ROLE app LOGIN; CREATE ROLE bridge LOGIN; SELECT sync.sync_progress_grant('app', 'application'); SELECT sync.sync_progress_grant('bridge', 'bridge')});
my $listener = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'bridge' ]);
$listener->query_safe('LISTEN sync_progress; SELECT sync.sync_progress_attach()');
my $id = $node->safe_psql('postgres', "SELECT sync.sync_session_start('alice', total_count => 10)", extra_params => [ '-U', 'app' ]);
$node->safe_psql('postgres', "SELECT sync.sync_progress_increment($id, 4)", extra_params => [ '-U', 'app' ]);
ok(wait_until(sub { sql("SELECT processed_count FROM sync.sync_sessions WHERE id = $id") eq '4' }, 'the fold'), 'as that owner it is folded');
ok(wait_until(sub { $listener->query('SELECT 1') =~ /"stream":"sync:$id".*"processed_count":4/s }, 'the notification'), 'and told');
$node->safe_psql('postgres', "SELECT sync.sync_session_complete($id)", extra_params => [ '-U', 'app' ]);
like($node->safe_psql('postgres', "SELECT sync.sync_progress_token('alice')", extra_params => [ '-U', 'app' ]), qr/^ey[\w-]+\.[\w-]+\.[\w-]+$/, 'tokens are minted');
sql('CREATE TABLE meshes (id serial PRIMARY KEY, user_id text, status text, progress integer)');
sql(q{SELECT sync.sync_progress_track('meshes', 'mesh', '{"id":"id","owner_id":"user_id","status":"status","progress":"progress"}')});
sql(q{INSERT INTO meshes (user_id, status, progress) VALUES ('bob', 'processing', 30)});
is(sql(q{SELECT owner_id FROM sync.sync_sessions WHERE kind = 'mesh'}), 'bob', 'tables are tracked');
is(sql(q{SELECT string_agg(check_name || ': ' || detail, E'\n') FROM sync.sync_progress_doctor() WHERE NOT ok AND check_name <> 'setting_fsync'}), '', 'the doctor finds nothing that fails');
is(sql(q{SELECT ok FROM sync.sync_progress_doctor() WHERE check_name = 'owner'}), 't', 'and the owner good');
is(sql(q{SELECT last_error IS NULL FROM sync.pg_stat_sync_progress}), 't', 'nor has the worker complained');

# -- what piles up -----------------------------------------------------------------
my ($prune) = $manual =~ /(SELECT sync\.sync_progress_prune\('90 days'\))/;
ok(wait_until(sub { sql("SELECT status FROM sync.sync_sessions WHERE id = $id") eq 'completed' }, 'the end'), 'a run has ended');
is(sql($prune), '0', 'what has just ended is kept');
sql("UPDATE sync.sync_sessions SET started_at = started_at - interval '91 days', completed_at = completed_at - interval '91 days' WHERE id = $id");
# the worker has heard of it, and has the row for a moment; pruning waits for nobody
flush($node);
is(sql($prune), '1', 'what ended long ago goes');

# -- a copy of it takes no tokens of it -----------------------------------------------
sql('CREATE DATABASE copy');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump as that owner has left it');
my $restored = $node->psql('copy', "\\i $dump", extra_params => [ '-v', 'ON_ERROR_STOP=1' ]);
is($restored, 0, 'and its restore');
is($node->safe_psql('copy', 'SELECT count(*) FROM sync.sync_sessions'), sql('SELECT count(*) FROM sync.sync_sessions'), 'it has the runs');
my $kid = 'SELECT kid FROM sync.sync_progress_keys()';
isnt($node->safe_psql('copy', $kid), sql($kid), 'and a key of its own');

# -- what it says of shared memory -------------------------------------------------------
my ($query) = $manual =~ /`(SELECT \* FROM pg_shmem_allocations[^`]*)`/;
like(sql($query), qr/sync_progress/, 'shared memory is shown');

$listener->quit;
$node->stop;
done_testing();
