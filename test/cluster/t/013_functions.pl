# Users' payload and authorize functions that raise, hang, say nothing, say it
# twice or say too much: it is known which and why, nothing is lost, and nobody
# else is held up.  Several such kinds at once, beside a sound one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use JSON::PP ();
use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('functions', conf => "sync_progress.payload_timeout = 500ms\n");
quick_kind($node, '50 milliseconds', '100 milliseconds');
sub sql { return $node->safe_psql('postgres', $_[0]); }

# What each kind's payload function does while it is bad, and what is said of it.
my %bad = (
	raises => [ q{RAISE EXCEPTION 'no payload today';}, qr/no payload today/ ],
	sleeps => [ q{PERFORM pg_sleep(600);}, qr/took longer than sync_progress.payload_timeout/ ],
	spins => [ q{LOOP a := a + 1; END LOOP;}, qr/took longer than sync_progress.payload_timeout/ ],
	nothing => [ q{RETURN;}, qr/nothing\(\) gave nothing for session \d+/ ],
	nulls => [ q{RETURN QUERY SELECT id, NULL::json FROM unnest(session_ids) AS id; RETURN;}, qr/nulls\(\) gave nothing for session \d+/ ],
	twice => [ q{RETURN QUERY SELECT id, '{}'::json FROM unnest(session_ids || session_ids) AS id; RETURN;}, qr/twice\(\) gave more than one row for session \d+/ ],
	huge => [ q{RETURN QUERY SELECT id, to_json(repeat('x', 1000000)) FROM unnest(session_ids) AS id; RETURN;}, qr/huge\(\) gave 1000002 bytes for session \d+/ ],
	# for one of its sessions only
	partly => [ q{IF EXISTS (SELECT FROM sync.sync_sessions WHERE id = ANY (session_ids) AND source_id = 'culprit') THEN PERFORM pg_sleep(600); END IF;}, qr/took longer than sync_progress.payload_timeout/ ]);
sql('CREATE SCHEMA app; CREATE TABLE app.bad (kind text PRIMARY KEY)');
for my $kind (sort keys %bad)
{
	sql(qq{INSERT INTO app.bad VALUES ('$kind');
		CREATE FUNCTION app.$kind(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS \$\$
		DECLARE a bigint := 0;
		BEGIN
			IF EXISTS (SELECT FROM app.bad WHERE kind = '$kind') THEN $bad{$kind}[0] END IF;
			RETURN QUERY SELECT * FROM sync.sync_payload(session_ids);
		END \$\$;
		INSERT INTO sync.sync_kinds (kind, channel, param, min_interval, every_interval, payload_function, authorize_function)
		VALUES ('$kind', '$kind', 'id', '50 ms', '100 ms', 'app.$kind(bigint[])', 'sync.sync_may_watch(bigint,jsonb)')});
}

my $listener = SyncProgress::Listener->new($node);
my $quick = new_session($node, "kind => 'quick'");
my $worker = wait_for_worker($node);
ok($listener->wait_for("quick:$quick", sub { 1 }), 'a sound kind is told');

# several sessions of each at once; the culprit's companions are innocent
my $count = 0;
sql(join ' ', 'BEGIN;', (map { my $kind = $_; map { "SELECT sync.sync_progress_increment(sync.sync_session_start('bad', '$kind', source_id => '$_'), 3);" } $kind eq 'partly' ? (1 .. 6, 'culprit') : (1 .. 3) }
	  sort keys %bad), "SELECT sync.sync_progress_increment($quick);", 'COMMIT;');
ok($listener->wait_for("quick:$quick", sub { $_->{data}{processed_count} == 1 }), 'beside them it is told');
for my $round (2 .. 25)
{
	increment($node, $quick, 1);
	$count++ if $listener->wait_for("quick:$quick", sub { $_->{data}{processed_count} == $round });
}
is($count, 24, 'and goes on to be told, each time');
ok($listener->wait_for("partly:$_", sub { $_->{data}{processed_count} == 3 }), "a session beside the one that its function hangs for is told ($_)") for 1, 6;

# a hundred more that hang, committed at once
sql(q{SELECT count(sync.sync_session_start('many', 'sleeps', source_id => 'm' || n)) FROM generate_series(1, 100) AS n});
sql(q{SET sync_progress.mode = 'live'; SELECT count(sync.sync_progress_increment(id, 2)) FROM sync.sync_sessions WHERE owner_id = 'many'});
$count = 0;
for my $round (26 .. 45)
{
	increment($node, $quick, 1);
	$count++ if $listener->wait_for("quick:$quick", sub { $_->{data}{processed_count} == $round });
}
is($count, 20, 'a hundred that hang stop it no more than one');
my $status = new_session($node, "kind => 'quick'");
sql("SELECT sync.sync_session_fail($status, 'no route')");
ok($listener->wait_for("quick:$status", sub { $_->{final} && $_->{data}{error_message} eq 'no route' }), 'nor a change of status');

# what is said of them; and what is counted
for my $kind (sort keys %bad)
{
	ok(wait_until(sub { slurp_file($node->logfile) =~ /WARNING:  sync_progress: payload of session \d+ by app\.$kind\(bigint\[\]\): .*$bad{$kind}[1]/ }, "the warning about $kind", 60), "$kind: the log says why");
}
like(sql('SELECT last_error FROM sync.pg_stat_sync_progress'), qr/^payload of session \d+ by app\./, 'and so does last_error');
sql('SELECT sync.sync_progress_flush()');
is(sql(q{SELECT string_agg(DISTINCT processed_count::text, ',') FROM sync.sync_sessions WHERE owner_id = 'bad'}), '3', 'all of it is folded');
is(scalar(grep { $_->{type} eq 'progress' && $_->{owner} eq 'bad' && $_->{stream} !~ /^partly:/ } $listener->all), 0, 'nothing is told of them, for there is nothing to say');
is(scalar($listener->of('partly:culprit')), 0, 'nor of the culprit');
is(worker_pid($node), $worker, 'the worker is the same as before');
cmp_ok(max(map { $_->{bytes} } $listener->all), '<=', 7999, 'no message is longer than 7,999 bytes');

# repaired: what was not told is told, with nothing more happening to it
sql(q{DELETE FROM app.bad});
my @missing;
for my $stream ((map { my $kind = $_; map { "$kind:$_" } 1 .. 3 } sort keys %bad), 'partly:culprit')
{
	push @missing, $stream unless $listener->wait_for($stream, sub { $_->{data}{processed_count} == 3 }, 90);
}
is("@missing", '', 'once its function works a session\'s last state is told');
ok($listener->wait_for('sleeps:m100', sub { $_->{data}{processed_count} == 2 }, 90), 'also the last of a hundred');
is(sql(q{SELECT string_agg(DISTINCT processed_count::text, ',') FROM sync.sync_sessions WHERE owner_id = 'many'}), '2', 'and what was counted live meanwhile is counted once');
sql(q{DELETE FROM sync.sync_sessions WHERE owner_id = 'many'});

# -- subscriptions: one question about many, answered within its time ---------------
append_to_file($node->data_dir . '/postgresql.conf', "sync_progress.payload_timeout = 2s\n");
$node->reload;
ok(wait_until(sub { sql('SHOW sync_progress.payload_timeout') eq '2s' }, 'the setting'), 'payload_timeout: 2 s, as by default');
sql(q{CREATE FUNCTION app.auth_sleeps(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(600); RETURN true; END $$;
	CREATE FUNCTION app.auth_raises(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE EXCEPTION 'no idea'; END $$;
	CREATE FUNCTION app.auth_null(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT NULL::boolean $$;
	INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
	SELECT name, name, 'id', 'sync.sync_payload(bigint[])', 'app.' || name || '(bigint,jsonb)' FROM unnest('{auth_sleeps,auth_raises,auth_null}'::text[]) AS name});
sql("SELECT sync.sync_session_start('bad', '$_', source_id => 's') FROM generate_series(1, 1)") for qw(auth_sleeps auth_raises auth_null);
sql("SELECT sync.sync_session_start('bad', 'auth_sleeps', source_id => 't$_')") for 1 .. 20;

# What each identifier ("kind:id") gets, in one question that has no more time than a payload has.
sub ask
{
	my @streams = @_;
	my $identifiers = join ',', map { my ($channel, $id) = /^(.*?):(.*)$/; qq{'{"channel":"$channel","id":"$id"}'} } @streams;
	my ($code, $out, $err) = $node->psql('postgres', qq{SET statement_timeout = '2s'; SELECT string_agg(coalesce(refused, 'state'), ' ' ORDER BY ord)
		FROM sync.sync_progress_subscribe(ARRAY[$identifiers], ARRAY['{"sub":"bad"}'::jsonb], array_fill(1, ARRAY[} . scalar(@streams) . ']))');
	return ($out || $err, $err);
}
my ($answer, $warnings) = ask('quickx:1', 'auth_sleeps:s', 'raises:1', 'auth_sleeps:t1', 'auth_raises:s', 'auth_null:s', (map { "auth_sleeps:t$_" } 2 .. 20), 'twice:2');
is($answer, 'not_found not_found state unavailable not_found not_found' . ' unavailable' x 19 . ' state',
	'an authorize function that hangs refuses one; others of its kind are asked about later; all else is answered at once');
like($warnings, qr/WARNING:  could not authorize .*auth_sleeps.*: app.auth_sleeps\(\) took too long\nHINT: .*payload_timeout/, 'it is named');
like($warnings, qr/WARNING:  could not authorize .*auth_raises.*: no idea/, 'and so is one that raises');
($answer) = ask('auth_sleeps:t1');
is($answer, 'not_found', 'asked about alone, it is refused');

sql(q{INSERT INTO app.bad VALUES ('partly')});
($answer, $warnings) = ask('raises:1', 'partly:1', 'partly:2', 'partly:culprit', 'partly:3', 'partly:4', 'partly:5', 'twice:1');
is($answer, 'state state state unavailable state state state state', 'a payload that hangs is unavailable; those beside it, of its kind and others, are served');
like($warnings, qr/WARNING:  could not make the payload of session \d+: app.partly\(\) took too long\nHINT: /, 'it is named, too');
sql(q{INSERT INTO app.bad SELECT unnest('{raises,sleeps,spins,nothing,nulls,huge}'::text[])});
($answer) = ask('raises:1', 'sleeps:1', 'spins:1', 'nothing:1', 'nulls:1', 'huge:1', 'twice:1', 'twice:2');
is($answer, 'unavailable unavailable unavailable unavailable unavailable unavailable state state', 'many bad kinds in one question: a sound one is served');
is($node->psql('postgres', q{SET statement_timeout = '2s'; SELECT string_agg(stream, ' ' ORDER BY stream) FROM sync.sync_progress_snapshots('{partly:1,partly:culprit,sleeps:1,twice:1}')}), 0, 'snapshots as well');
is(sql(q{SET client_min_messages = error; SET statement_timeout = '2s'; SELECT string_agg(stream, ' ' ORDER BY stream) FROM sync.sync_progress_snapshots('{partly:1,partly:culprit,sleeps:1,twice:1}')}),
	'partly:1 twice:1', 'without those that hang');
($answer) = $node->psql('postgres', q{SET statement_timeout = '100ms'; SELECT pg_sleep(5)});
isnt($answer, 0, 'the time limit of the statement itself still ends it');

# -- the messages, as the fixtures have them -----------------------------------------
my $fixtures = "$FindBin::RealBin/../../fixtures/wire";
my $json = JSON::PP->new;
sub keys_of { my ($text) = @_; $text =~ s/"data":\{.*\}\}$/"data":0}/; return join ' ', $text =~ /"(\w+)":/g; }
sub fixture { my ($name) = @_; return slurp_file("$fixtures/notify.$name.json") =~ s/\n$//r; }
my $mesh = new_session($node, "kind => 'mesh', source_id => '202', status => 'pending', total_count => 1000");
my $message = $listener->wait_for('mesh:202', sub { $_->{type} eq 'progress' });
is(keys_of($message->{raw}), keys_of(fixture('progress')), '[002-15] a message has the keys of the fixture, in their order');
is_deeply([ map { $message->{data}{$_} } qw(mesh_id progress status) ], [ 202, 0, 'pending' ], '[002-19] a mesh that has not begun: mesh_id, progress 0, status pending');
sql("SELECT sync.sync_progress_increment($mesh, 1000); SELECT sync.sync_session_complete($mesh, result_url => '/m.glb')");
$message = $listener->wait_for('mesh:202', sub { $_->{final} });
is(join(' ', $message->{raw} =~ /"data":(\{.*\})\}$/ ? $1 =~ /"(\w+)":/g : ''), join(' ', fixture('progress_final') =~ /"data":(\{.*\})\}$/ ? $1 =~ /"(\w+)":/g : ''), '[002-03] completed: with its result_url');
is($message->{data}{result_url}, '/m.glb', 'which is the one that was given');
sql("SELECT sync.sync_session_retry($mesh)");
$message = $listener->wait_for('mesh:202', sub { $_->{type} eq 'revoked' });
is($message && keys_of($message->{raw}), keys_of(fixture('revoked')), '[002-13] retried: the stream\'s watchers are asked for their right again');
my @told;
ok(wait_until(sub { @told = grep { $_->{type} eq 'progress' } $listener->of('mesh:202'); $told[-1]{data}{status} eq 'pending' && @told > 2 }, 'the new run'), 'and the new run is told');
is(scalar(grep { $told[$_]{version} <= $told[ $_ - 1 ]{version} } 1 .. $#told), 0, 'versions grow from run to run');

# and of lists
my $listed = new_session($node, "title => 'T'");
sql("UPDATE sync.sync_sessions SET title = 'U' WHERE id = $listed");
sql("UPDATE sync.sync_sessions SET pinned = true WHERE id = $listed");
sql("DELETE FROM sync.sync_sessions WHERE id = $listed");
sql(q{INSERT INTO sync.sync_sessions (owner_id) SELECT 'alice' FROM generate_series(1, 100)});
for my $type (qw(session_created session_renamed session_pinned session_deleted sessions_reloaded))
{
	$message = $listener->wait_for('owner:alice', sub { $_->{type} eq $type && ($_->{data}{session_id} // $listed) == $listed });
	is(join(' ', ($message ? $message->{raw} : '') =~ /"(\w+)":/g), join(' ', fixture($type) =~ /"(\w+)":/g), "[004-03] $type: as the fixture has it, in the same order");
}
sql("SELECT sync.sync_progress_disconnect('alice')");
$message = $listener->wait_for('owner:alice', sub { $_->{type} eq 'disconnect' });
is($message && $message->{raw} =~ s/\d{16}|\d{10}\.\d{6}/0/gr, fixture('disconnect') =~ s/\d{16}|\d{10}\.\d{6}/0/gr, 'disconnect: as the fixture has it');
my $bridge = $node->background_psql('postgres');
$bridge->query_safe('SELECT * FROM sync.sync_progress_attach()');
my $beat;
ok(wait_until(sub { ($beat) = grep { $_->{type} eq 'heartbeat' } $listener->all; $beat }, 'a heartbeat'), 'a heartbeat');
is(keys_of($beat->{raw}), keys_of(fixture('heartbeat')), 'as the fixture has it');
$bridge->quit;

$listener->quit;
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing has crashed');
done_testing();
