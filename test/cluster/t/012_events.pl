# What is told on the owner's stream, and other messages that are no states:
# each of them, at least once, in order, whatever becomes of their session.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SyncProgress::Test;
use SyncProgress::Listener;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# Who asks for it waits for a standby that there is not.  From the start: after a
# reload a process of the server's has to hear of it, and nobody knows when it has.
my $node = new_cluster('events', conf => "max_prepared_transactions = 5\nmax_wal_senders = 2\nwal_level = replica\nsynchronous_commit = local\nsynchronous_standby_names = 'nobody'\n");
quick_kind($node, '50 milliseconds', '100 milliseconds');
my $fence = new_session($node, "kind => 'quick'");
wait_for_worker($node);
my $listener = SyncProgress::Listener->new($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# How many rows of the ledger are messages; not in the one that is locked below.
sub untold
{
	return sql('SELECT sum(n) FROM (' . join(' UNION ALL ', map { "SELECT count(*) AS n FROM sync.sync_progress_ledger_$_ WHERE op IN ('X', 'E')" } grep { $_ != 12 } 0 .. 15) . ') AS l');
}

# The list events that an owner was told: "created 5 T", …
sub told
{
	my ($owner) = @_;
	return map { join ' ', $_->{type} =~ s/^sessions?_//r, grep { defined } @{ $_->{data} }{qw(session_id title count)} } $listener->of("owner:$owner");
}

# Eight sessions of one owner; their first id.
sub eight
{
	my ($owner) = @_;
	return sql("INSERT INTO sync.sync_sessions (owner_id, status) SELECT '$owner', 'processing' FROM generate_series(1, 8) RETURNING id") =~ s/\n.*//sr;
}

# Edits of eight sessions by four clients, in the background.
sub edit_start
{
	my ($base, $each) = @_;
	return pgbench_start($node, '-c', 4, '-j', 1, '-t', $each, '-R', 1000, '-D', "base=$base", '-f',
		script("\\set s random(0, 7)\n\\set r random(1, 1000000000)\nSELECT sync.sync_session_rename(:base + :s, 'title ' || :r);\n"));
}

# What is wrong with the order in which an owner's edits were told: '' when
# each session's lock_versions first appear one after the other, up to those
# that the table has.  Also how many edits there were, and how many messages.
sub order
{
	my ($owner) = @_;
	my (%seen, $messages, $edits);
	for my $message (grep { $_->{type} eq 'session_renamed' } $listener->of("owner:$owner"))
	{
		my ($id, $version) = @{ $message->{data} }{qw(session_id lock_version)};
		$messages++;
		$seen{$id} //= 0;
		return "session $id: $version after $seen{$id}" if $version > $seen{$id} + 1;
		$seen{$id} = $version if $version > $seen{$id};
	}
	for my $line (split /\n/, sql("SELECT id || ' ' || lock_version FROM sync.sync_sessions WHERE owner_id = '$owner'"))
	{
		my ($id, $version) = split / /, $line;
		$edits += $version;
		return "session $id: $seen{$id} was told last, of $version" if ($seen{$id} // 0) != $version;
	}
	return ('', $edits, $messages);
}

# -- each of them -------------------------------------------------------------
my $id = sql("INSERT INTO sync.sync_sessions (owner_id, title, total_count) VALUES ('amy', 'One', 9) RETURNING id");
sql("SELECT sync.sync_session_rename($id, 'Two', 0)");
sql("SELECT sync.sync_session_pin($id, true)");
sql("UPDATE sync.sync_sessions SET title = 'Three', pinned = false WHERE id = $id");
sql("BEGIN; UPDATE sync.sync_sessions SET title = 'Never' WHERE id = $id; ROLLBACK;");
sql("SELECT sync.sync_progress_increment($id, 2)");
sql("BEGIN; SAVEPOINT x; UPDATE sync.sync_sessions SET title = 'Never' WHERE id = $id; ROLLBACK TO x; UPDATE sync.sync_sessions SET title = 'Four' WHERE id = $id; UPDATE sync.sync_sessions SET title = 'Five' WHERE id = $id; COMMIT;");
sql("BEGIN; UPDATE sync.sync_sessions SET title = 'Six' WHERE id = $id; PREPARE TRANSACTION 'six';");
$listener->settle($node, $fence);
is(join(', ', told('amy')), "created $id One, renamed $id Two, pinned $id Two, renamed $id Three, pinned $id Three, renamed $id Four, renamed $id Five",
	'[004-03] [004-05] what happens to a session in a list is told to its owner, in order; nothing that was rolled back');
sql("COMMIT PREPARED 'six'");
ok($listener->wait_for('owner:amy', sub { ($_->{data}{title} // '') eq 'Six' }), '[004-05] an edit in a prepared transaction is told once it is committed');
sql("DELETE FROM sync.sync_sessions WHERE id = $id");
my $deleted = $listener->wait_for('owner:amy', sub { $_->{type} eq 'session_deleted' });
ok($deleted, 'and a deletion');
my ($renamed) = grep { $_->{type} eq 'session_renamed' } $listener->of('owner:amy');
like($renamed->{raw}, qr/^\{"stream":"owner:amy","version":(\d+),"type":"session_renamed","final":false,"owner":"amy","emitted_at":\d+\.\d{6},"data":\{"session_id":$id,"job_id":"[0-9a-f-]{36}","kind":"sync","source_id":"$id","title":"Two","pinned":false,"status":"pending","lock_version":1,"version":\1\}\}$/,
	'[004-11] a message, byte by byte');
my @versions = map { $_->{version} } $listener->of('owner:amy');
is("@versions", join(' ', sort { $a <=> $b } @versions), '[004-12] the versions of a session grow');
is($deleted && $deleted->{data}{version}, $deleted->{version}, 'data has the version too');
is(scalar(grep { $_->{type} =~ /^session/ } $listener->of("sync:$id")), 0, 'nothing of it goes to who watches the session');

# -- between users ------------------------------------------------------------
my $theirs = sql("INSERT INTO sync.sync_sessions (owner_id, title) VALUES ('ben', 'Ben''s') RETURNING id");
sql("UPDATE sync.sync_sessions SET owner_id = 'cat' WHERE id = $theirs");
my $odd = "o\"'\\\n<b>";
sql("INSERT INTO sync.sync_sessions (owner_id, title) VALUES (E'o\"''\\\\\\n<b>', E'</script>\\n\"\\t✓')");
ok($listener->wait_for("owner:$odd", sub { $_->{owner} eq $odd && $_->{data}{title} eq "</script>\n\"\t\x{2713}" }), '[000-35] owner and title are JSON text, whatever is in them');
is(join(', ', told('ben')), "created $theirs Ben's, deleted $theirs Ben's", '[004-07] who loses a session is told that it is gone');
is(join(', ', told('cat')), "created $theirs Ben's", '[004-07] who gets it that it is there; neither hears the other\'s');

# -- hints --------------------------------------------------------------------
sql('ALTER SYSTEM SET sync_progress.notify = hint');
$node->reload;
ok( wait_until(
		sub {
			sql("UPDATE sync.sync_sessions SET title = 'hint ' || lock_version WHERE id = $theirs");
			my @heard = $listener->of('owner:cat');
			return $heard[-1]{raw} !~ /"data"|hint/;
		},
		'a message without data'),
	'where notifications are hints, an event says that there is one, not which title');
sql("BEGIN; SELECT sync.sync_progress_disconnect('cat'); ROLLBACK; SELECT sync.sync_progress_disconnect('cat', false);");
my ($told) = $listener->wait_for('owner:cat', sub { $_->{type} eq 'disconnect' });
is($told && $told->{data}{reconnect}, JSON::PP::false, 'disconnect: a transaction that is rolled back tells nothing, and how is not left out');
sql('ALTER SYSTEM RESET sync_progress.notify');
$node->reload;
ok( wait_until(
		sub {
			sql("UPDATE sync.sync_sessions SET title = 'data ' || lock_version WHERE id = $theirs");
			return scalar grep { ($_->{data}{title} // '') =~ /^data/ } $listener->of('owner:cat');
		},
		'a message with data'),
	'and where not, again');

# -- a message waits for no row lock ------------------------------------------
my $held = new_session($node, "kind => 'quick', source_id => 'held'");
my $app = $node->background_psql('postgres');
sql("UPDATE sync.sync_sessions SET owner_id = 'other' WHERE id = $held");
$app->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $held FOR UPDATE;");
sql("INSERT INTO sync.sync_sessions (kind, owner_id, source_id, status) VALUES ('quick', 'other', 'held', 'completed')");
ok($listener->wait_for('quick:held', sub { $_->{type} eq 'revoked' }), 'revoked is told while the session is locked');
ok($listener->wait_for('owner:other', sub { $_->{type} eq 'session_created' && $_->{data}{status} eq 'completed' }), 'so are events');
$app->query_safe('COMMIT');
$app->quit;
$listener->settle($node, $fence);
is(untold(), 0, 'what was told is deleted from the ledger');

# -- what nobody but a human hand can have written ------------------------------
my $warned = sql('SELECT last_error FROM sync.pg_stat_sync_progress');
sql("INSERT INTO sync.sync_progress_ledger_3 (session_id, amount, stamp, op, label) VALUES (1, 0, 0, 'X', NULL), (1, 0, 0, 'E', NULL), (1, 0, 0, 'E', 'no event'),"
	. " (1, 0, 0, 'E', E'session_renamed\n' || repeat('o', 7000) || E'\n{}'), (1, 0, 0, 'E', E'session_renamed\nzoe\n{\"count\":1}')");
$listener->settle($node, $fence);
is(join(', ', told('zoe')), 'renamed 1', 'a row that is no message keeps no other from being told');
is(untold(), 0, 'and goes with them');
is(sql('SELECT last_error FROM sync.pg_stat_sync_progress'), $warned, 'without an error');

# -- commits in another order than their first statements ----------------------
my $first = sql("INSERT INTO sync.sync_sessions (owner_id) VALUES ('dan') RETURNING id");
my $second = sql("INSERT INTO sync.sync_sessions (owner_id) VALUES ('dan') RETURNING id");
my ($early, $late) = map { $node->background_psql('postgres') } 1 .. 2;
$early->query_safe("BEGIN; UPDATE sync.sync_sessions SET title = 'early' WHERE id = $first;");
$late->query_safe("BEGIN; UPDATE sync.sync_sessions SET title = 'late' WHERE id = $second; COMMIT;");
$late->query_safe("SELECT sync.sync_session_rename($second, 'later', 1)");
$early->query_safe("UPDATE sync.sync_sessions SET title = 'last' WHERE id = $second; COMMIT;");
$_->quit for $early, $late;
$listener->settle($node, $fence);
is(join(', ', grep { /^renamed $second/ } told('dan')), "renamed $second late, renamed $second later, renamed $second last", 'the edits of a session are told as they came to it');
is((order('dan'))[0], '', 'all of them');

# -- a thousand a second -------------------------------------------------------
my $bench = edit_start(eight('eve'), 2500);
$listener->all, usleep(100_000) while $bench->{run}->pumpable && eval { $bench->{run}->pump_nb; 1 };
$bench->{run}->finish;
like($bench->{out}, qr{^number of transactions actually processed: 10000/10000}m, 'ten thousand edits of eight sessions by four clients, a thousand a second') or diag($bench->{err});
$listener->settle($node, $fence);
my ($wrong, $edits, $messages) = order('eve');
is($wrong, '', '[004-07] every one is told, in the order of lock_version');
is($messages, $edits, 'once');
cmp_ok($edits, '>', 9990, 'and these were as many as were made');

# -- while a fold reads what others write ----------------------------------------
# A transaction that goes on counting puts rows between those of the edits, and
# a while between a fold's looks at them.  It once saw an edit, but not the one
# before it, which was committed behind its back.
my $hot = sql("INSERT INTO sync.sync_sessions (owner_id, status) VALUES ('hal', 'processing') RETURNING id");
my $counting = $node->background_psql('postgres');
$counting->query_until(qr/go/, "BEGIN;\n\\echo go\nSELECT count(sync.sync_progress_increment($hot)) FROM generate_series(1, 300000);\n");
$bench = pgbench_start($node, '-c', 4, '-j', 1, '-t', 750, '-D', "session=$hot", '-f',
	script("\\set r random(1, 1000000000)\nSELECT sync.sync_session_rename(:session, 'title ' || :r);\n"));
$bench->{run}->finish;
$counting->query_safe('ROLLBACK');
$counting->quit;
$listener->settle($node, $fence);
($wrong, $edits, $messages) = order('hal');
is($wrong, '', 'the edits of one session by four clients beside a long transaction are told in order');
is($messages, $edits, 'once');

# -- and with the worker terminated in between ----------------------------------
my $base = eight('fay');
$bench = edit_start($base, 1000);
my %terminated;
# early, for what is told may be far ahead of what has been read here
for my $some (200, 500, 800)
{
	my $pid;
	# one that has told something
	wait_until(
		sub {
			# as long as it takes: the next one needs something to tell
			if ($bench->{run}->pumpable) { $bench->{run}->pump_nb; }
			else { $bench->{run}->finish; $bench = edit_start($base, 100); }
			my @told = $listener->of('owner:fay');
			$pid = @told > $some ? $told[-1]{pid} : undef;
			return $pid && !$terminated{$pid};
		},
		"$some messages");
	sql("SELECT pg_terminate_backend($pid)");
	$terminated{$pid} = 1;
}
$bench->{run}->finish;
wait_for_worker($node);
$listener->settle($node, $fence);
my %pids = map { $_->{pid} => 1 } $listener->of('owner:fay');
cmp_ok(scalar keys %pids, '>=', 3, 'terminated thrice meanwhile: its successors go on');
($wrong, $edits, $messages) = order('fay');
is($wrong, '', 'every edit is told at least once, and appears in order');
cmp_ok($edits, '>', 3990, 'of all that were made');

# -- and while it waits for NOTIFY ------------------------------------------------
# NOTIFY takes a lock to the end of its commit, and this commit waits for a
# standby that there is not.
my $slow = $node->background_psql('postgres');
$slow->query_until(qr/go/, "SET synchronous_commit = on;\n\\echo go\nBEGIN; CREATE TABLE slow (); NOTIFY slow; COMMIT;\n");
ok(wait_until(sub { sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") }, 'it to wait'), 'somebody\'s NOTIFY does not end');
$id = sql("INSERT INTO sync.sync_sessions (owner_id, title) VALUES ('ida', 'one') RETURNING id");
my $stuck = q{SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND locktype = 'object' AND backend_type ~ '^sync_progress worker'};
ok(wait_until(sub { sql($stuck) }, 'the worker to wait'), 'the worker waits for it');
my $pid = sql($stuck);
sql("SELECT pg_terminate_backend($pid)");
ok(wait_until(sub { my $next = sql($stuck); $next && $next != $pid }, 'its successor to wait'), 'it is terminated, and its successor waits');
is(scalar(told('ida')), 0, 'nothing is told meanwhile');
sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
ok($listener->wait_for('owner:ida', sub { $_->{data}{session_id} == $id }), 'when it may, it tells what its predecessor could not');
$slow->quit;

# -- a crash between the commit and the NOTIFY ----------------------------------
# A lock that survives it keeps the messages from being told.
sql("BEGIN; LOCK TABLE sync.sync_progress_ledger_12 IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'hold';");
$id = sql("INSERT INTO sync.sync_sessions (owner_id, title) VALUES ('gus', 'before the crash') RETURNING id");
sql("SELECT sync.sync_session_rename($id, 'still before')");
sql("SELECT sync.sync_session_delete($id)");
is(scalar(told('gus')), 0, 'three events are committed, and not told');
is(untold(), 4, 'they are in the ledger, with what tells the watchers');
$listener->quit;
$node->stop('immediate');
$node->start;
$listener = SyncProgress::Listener->new($node);
is(untold(), 4, 'after a crash they still are');
sql("ROLLBACK PREPARED 'hold'");
ok($listener->wait_for('owner:gus', sub { $_->{type} eq 'session_deleted' }), 'and are told');
is(join(', ', told('gus')), "created $id before the crash, renamed $id still before, deleted $id still before", 'in order');
ok($listener->wait_for("sync:$id", sub { $_->{type} eq 'revoked' }), 'so is revoked');
ok(wait_until(sub { untold() == 0 }, 'the ledger'), 'then they are deleted');

# -- many at once -----------------------------------------------------------------
# Of sessions from before the crash the worker may still have to tell.
my $last = sql('SELECT max(id) FROM sync.sync_sessions');

sub heard
{
	return join ', ', sort map { "$_->{stream} $_->{type} " . ($_->{data}{count} // '') }
	  grep { ($_->{stream} // '') =~ /^owner:/ || ($_->{stream} // '') =~ /^sync:(\d+)/ && $1 > $last } $listener->all;
}

$listener->forget;
sql("INSERT INTO sync.sync_sessions (owner_id, title, status) SELECT 'bulk' || n % 3, 'T', 'processing' FROM generate_series(1, 10000) AS n");
$listener->settle($node, $fence);
is(heard(),
	'owner:bulk0 sessions_reloaded 3333, owner:bulk1 sessions_reloaded 3334, owner:bulk2 sessions_reloaded 3333',
	'[004-03] ten thousand sessions of three owners in an INSERT: three messages, and no other');
$listener->forget;
is($node->psql('postgres', "COPY sync.sync_sessions (owner_id, title, status) FROM STDIN;\n" . join('', map { 'copy' . $_ % 3 . "\tT\tprocessing\n" } 1 .. 10000) . "\\.\n"), 0, 'COPY of as many');
$listener->settle($node, $fence);
is(heard(),
	'owner:copy0 sessions_reloaded 3333, owner:copy1 sessions_reloaded 3334, owner:copy2 sessions_reloaded 3333', '[004-03] by COPY likewise');
sql("UPDATE sync.sync_sessions SET status = 'completed', completed_at = now() - interval '2 days' WHERE owner_id ~ '^(bulk|copy)'");
$listener->forget;
sql('TRUNCATE sync.sync_sessions CASCADE');
ok($listener->wait_for("owner:copy$_", sub { $_->{type} eq 'sessions_reloaded' && $_->{data}{count} > 3000 }), "TRUNCATE: one for each owner ($_)") for 0 .. 2;
is(sql('SELECT last_error FROM sync.pg_stat_sync_progress'), '', 'the worker had no error');

# -- old runs are pruned ------------------------------------------------------------
my $pruned = sql(q{INSERT INTO sync.sync_sessions (owner_id, status, completed_at) SELECT 'pruned', 'completed', now() - interval '40 days' FROM generate_series(1, 3) RETURNING id}) =~ s/\n.*//sr;
flush($node);
my $holder = $node->background_psql('postgres');
$holder->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $pruned FOR KEY SHARE;");
$listener->forget;
is(sql("SET statement_timeout = '${\ patience(5)}s'; SELECT sync.sync_progress_prune('30 days')"), 2, 'pruning waits for nobody who has a run');
$holder->query_safe('COMMIT');
is(sql(q{SELECT sync.sync_progress_prune('30 days')}), 1, 'which goes the next time');
$holder->quit;
wait_until(sub { told('pruned') == 3 }, 'the list events');
is(join(', ', sort +(told('pruned'))), join(', ', map { "deleted $_" } $pruned .. $pruned + 2), 'lists are told of each');

$listener->quit;
done_testing();
