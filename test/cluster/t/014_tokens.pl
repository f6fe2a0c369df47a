# Keys are never dumped, and rotate under load; workers' reports that come
# repeated, late and all at once, while the worker process dies; what people ask
# for while an application holds the row.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use JSON::PP ();
use List::Util qw(shuffle);
use MIME::Base64 qw(decode_base64url encode_base64url);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('tokens');
quick_kind($node, '20 milliseconds', '50 milliseconds');
my $json = JSON::PP->new->utf8;

sub sql { my ($text, $db) = @_; return $node->safe_psql($db // 'postgres', $text); }

sub header_of { return $json->decode(decode_base64url((split /\./, $_[0])[0])); }

# -- never dumped -----------------------------------------------------------------
my $foreign = encode_base64url('a secret of another issuer, 32 or more bytes');
sql(qq{SELECT sync.sync_progress_add_key('foreign', 'HS256', '{"kty":"oct","k":"$foreign"}')});
sql('SELECT sync.sync_progress_rotate_key()');
my @secrets = split /\n/, sql(q{SELECT jwk ->> 'k' FROM sync.sync_keys});
is(scalar(@secrets), 3, 'there are three secrets: an old one, a new one, and another issuer\'s');
my %dump;
for my $tool ([ 'pg_dump', 'postgres' ], [ 'pg_dump', '--data-only', 'postgres' ], [ 'pg_dump', '--inserts', '--table=sync.*', 'postgres' ], ['pg_dumpall'])
{
	my ($name, @arguments) = @$tool;
	my ($out, $err) = ('', '');
	ok(IPC::Run::run([ $node->installed_command($name), '-h', $node->host, '-p', $node->port, @arguments ], '>', \$out, '2>', \$err), "@$tool works") or diag($err);
	is(scalar(grep { index($out, $_) >= 0 } @secrets), 0, '[000-35] and has none of them');
	like($out, qr/sync_kinds/, 'though other tables of the extension') unless grep { /data-only/ } @arguments;
	$dump{"@$tool"} = $out;
}
sql('CREATE DATABASE restored');
my $err = '';
ok(IPC::Run::run([ $node->installed_command('psql'), '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored') ], '<', \$dump{'pg_dump postgres'}, '>', '/dev/null', '2>', \$err), 'a dump restores') or diag($err);
my $token = sql(q{SELECT sync.sync_progress_token('alice')});
is(sql('SELECT count(*) FROM sync.sync_progress_keys() WHERE kid = \'' . header_of($token)->{kid} . '\'', 'restored'), 0, '[000-35] the copy does not accept the original\'s tokens');
is(sql(q{SELECT string_agg(own || ' ' || minting, ',') FROM sync.sync_keys}, 'restored'), 'true true', 'it has a key of its own, and nobody else\'s');

# who may do everything but read keys finds them nowhere
sql(q{CREATE ROLE nosy LOGIN; GRANT USAGE ON SCHEMA sync TO nosy; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sync TO nosy; GRANT SELECT ON ALL TABLES IN SCHEMA sync TO nosy;
	REVOKE ALL ON sync.sync_keys FROM nosy; REVOKE ALL ON FUNCTION sync.sync_progress_keys FROM nosy});
my @leaks;
for my $function (split /\n/, sql(q{SELECT format('%s(%s)', p.oid::regproc, (SELECT string_agg('NULL', ', ') FROM generate_series(1, p.pronargs)))
		FROM pg_proc AS p WHERE p.pronamespace = 'sync'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.proname <> 'sync_progress_flush' AND p.proname !~ 'rotate_key|mint$'}))
{
	my ($code, $out, $error) = $node->psql('postgres', "SELECT * FROM $function", extra_params => [ '-U', 'nosy', '-v', 'VERBOSITY=verbose' ]);
	push @leaks, $function if grep { index("$out$error", $_) >= 0 } @secrets;
}
is("@leaks", '', '[000-35] no other function has one, in its result or its error');
for my $relation (split /\n/, sql(q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'sync'::regnamespace AND relkind IN ('r', 'v') AND relname <> 'sync_keys'}))
{
	push @leaks, $relation if grep { index(sql("SET ROLE nosy; SELECT * FROM $relation"), $_) >= 0 } @secrets;
}
is("@leaks", '', 'nor has any other table or view');
sql('DROP OWNED BY nosy; DROP ROLE nosy');

# -- rotating under load --------------------------------------------------------------
sql('CREATE TABLE minted (token text)');
# the first key has minted before another comes, and enough is left to be minted by others
my $mints = pgbench_start($node, '-c', 4, '-j', 2, '-t', 2500, '-f', script("INSERT INTO minted SELECT sync.sync_progress_token('a');\n"));
wait_until(sub { sql('SELECT count(*) > 0 FROM minted') eq 't' }, 'a first token');
my $rotations = pgbench_start($node, '-c', 4, '-j', 2, '-t', 10, '-f', script("SELECT sync.sync_progress_rotate_key('0');\n"));
ok($rotations->{run}->finish, 'rotating from four sessions at once works') or diag($rotations->{err});
ok($mints->{run}->finish, 'and minting meanwhile') or diag($mints->{err});
is(sql('SELECT count(*) FROM sync.sync_keys WHERE minting'), 1, 'exactly one key mints in the end');
my @kids = map { header_of($_)->{kid} } split /\n/, sql('SELECT token FROM minted');
is(scalar(@kids), 10_000, 'every token was minted');
my %kids = map { $_ => 1 } @kids;
cmp_ok(scalar(keys %kids), '>', 1, 'with more than one key') or diag(join ' ', keys %kids);
is(sql('SELECT minting FROM sync.sync_keys WHERE kid = \'' . header_of(sql(q{SELECT sync.sync_progress_token('a')}))->{kid} . '\''), 't', 'the last one by the last key');

# -- reports, in every order, while the worker process dies -------------------------------
my $listener = SyncProgress::Listener->new($node);
my $session = new_session($node, "'quick', status => 'pending'");
my $job = sql("SELECT job_id FROM sync.sync_sessions WHERE id = $session");
my $before = wait_for_worker($node);
# 150 reports, each three times, from eight clients
my @reports = map { my $percent = $_ * 2 / 3; ($percent) x 3 } 1 .. 150;
my @all = shuffle(@reports);
my @clients;
while (my @some = splice @all, 0, 57)
{
	my $text = join '', map {
		my $report = $json->encode({ job_id => $job, progress => 0 + sprintf('%.2f', $_), total_count => 3000, message => sprintf('at %.2f', $_), status => 'processing' });
		qq{SELECT sync.sync_progress_callback('{"aud":"callback","job_id":"$job"}', '$report') ->> 'status';\n}
	} @some;
	my ($out, $error) = ('', '');
	push @clients, { out => \$out, err => \$error, run => IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', script($text) ], '<', \undef, '>', \$out, '2>', \$error, IPC::Run::timeout(patience(120))) };
}
ok(wait_until(sub { sql("SELECT processed_count > 0 FROM sync.sync_progress($session)") eq 't' }, 'a first report'), 'reports arrive');
sql("SELECT pg_terminate_backend($before)");
my $accepted = 0;
for my $client (@clients)
{
	ok($client->{run}->finish, 'a client has reported') or diag(${ $client->{err} });
	$accepted += () = ${ $client->{out} } =~ /^accepted$/mg;
}
is($accepted, 450, '[002-14] every report is accepted');
is(counted($node, $session), 3000, '[002-14] repeated, shuffled, at once: the count is that of the highest');
is(sql("SELECT concat_ws('|', status, total_count, message) FROM sync.sync_sessions WHERE id = $session"), 'processing|3000|at 100.00', 'and so are total and message');
my $last = $listener->wait_for("quick:$session", sub { $_->{data}{processed_count} == 3000 });
ok($last, '[002-20] who watches is told');
my ($back, $counts, $version) = (0, -1, -1);
for my $told ($listener->of("quick:$session"))
{
	$back++ if $told->{version} < $version || $told->{data}{processed_count} < $counts;
	($version, $counts) = ($told->{version}, $told->{data}{processed_count});
}
is($back, 0, '[002-14] and never of less than before');
isnt(wait_for_worker($node, undef, $before), $before, 'by another worker process in the end');

# -- crash: an accepted report is not lost, and not doubled by being repeated -----------------
my $crash = new_session($node, "'quick', total_count => 1000");
my $crash_job = sql("SELECT job_id FROM sync.sync_sessions WHERE id = $crash");
my $report = sub {
	my ($text) = @_;
	return sql(qq{SELECT sync.sync_progress_callback('{"aud":"callback","job_id":"$crash_job"}', '{"job_id":"$crash_job",$text}') ->> 'session_status'});
};
$report->('"progress":30');
$node->stop('immediate');
$node->start;
is($report->('"progress":30'), 'processing', 'after a crash a worker reports again');
is(counted($node, $crash), 300, 'which changes nothing: the first time was not lost');

# -- a row that an application holds ------------------------------------------------------------
my $app = $node->background_psql('postgres');
$app->query_safe("BEGIN; UPDATE sync.sync_sessions SET title = 'held' WHERE id = $crash;");
is(sql(q{SET statement_timeout = '20s'; } . qq{SELECT sync.sync_progress_callback('{"aud":"callback","job_id":"$crash_job"}', '{"job_id":"$crash_job","progress":50}') ->> 'session_status'}), 'processing', 'a report of progress does not wait for it');
for my $try (
	[ 'the end of a run', qq{SELECT sync.sync_progress_callback('{"aud":"callback","job_id":"$crash_job"}', '{"job_id":"$crash_job","progress":100,"status":"completed"}')} ],
	map { [ $_, qq{SELECT * FROM sync.sync_progress_perform('{"channel":"QuickChannel","id":$crash}', '$_', '{"title":"x","pinned":true}', '{"sub":"alice","scope":["control"]}')} ] } qw(pause cancel rename pin delete))
{
	my ($code, $out, $error) = $node->psql('postgres', "SET statement_timeout = '20s'; $try->[1]", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($error, qr/ERROR:  55P03: session $crash is locked\n(?:.*\n)*?HINT:  A transaction holds its row/, "$try->[0] waits a moment, and says why it could not be done");
}
$app->query_safe('COMMIT');
$app->quit;
is(counted($node, $crash), 500, 'nothing of the refused report has happened');
is($report->('"progress":100,"status":"completed"'), 'completed', 'it is done when it is tried again');
is(counted($node, $crash) . sql("SELECT '|' || status || '|' || title FROM sync.sync_sessions WHERE id = $crash"), '1000|completed|held', 'all of it');

$listener->quit;
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
