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

my $node = new_cluster('events');
quick_kind($node, '50 milliseconds', '100 milliseconds');
my $fence = new_session($node, "kind => 'quick'");
wait_for_worker($node);
my $listener = SyncProgress::Listener->new($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# How many rows of the ledger are messages.
sub untold
{
	return sql('SELECT sum(n) FROM (' . join(' UNION ALL ', map { "SELECT count(*) AS n FROM sync.sync_progress_ledger_$_ WHERE op IN ('X', 'E')" } 0 .. 15) . ') AS l');
}

# -- a message waits for no row lock ------------------------------------------
my $held = new_session($node, "kind => 'quick', source_id => 'held'");
my $app = $node->background_psql('postgres');
sql("UPDATE sync.sync_sessions SET owner_id = 'other' WHERE id = $held");
$app->query_safe("BEGIN; SELECT id FROM sync.sync_sessions WHERE id = $held FOR UPDATE;");
sql("INSERT INTO sync.sync_sessions (kind, owner_id, source_id, status) VALUES ('quick', 'other', 'held', 'completed')");
ok($listener->wait_for('quick:held', sub { $_->{type} eq 'revoked' }), 'revoked is told while the session is locked');
$app->query_safe('COMMIT');
$app->quit;
$listener->settle($node, $fence);
is(untold(), 0, 'and its row is deleted once it was told');

$listener->quit;
done_testing();
