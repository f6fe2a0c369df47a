# SyncProgress::Listener
#	One psql that LISTENs, and what it has heard.
#
# psql prints a notification after the next statement, so hearing is asking.
# A heard message is a hash of its JSON, with pid (who sent it) and bytes.
package SyncProgress::Listener;

use strict;
use warnings;

use IPC::Run ();
use JSON::PP ();
use SyncProgress::Test qw(patience);
use Time::HiRes qw(time usleep);

my $json = JSON::PP->new->utf8;

sub new
{
	my ($class, $node, $db, $channel) = @_;
	my $self = bless { in => '', out => '', err => '', heard => [], asked => 0 }, $class;

	$self->{run} = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db // 'postgres') ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timeout} = IPC::Run::timeout(patience(120)));
	$channel = ($channel // 'sync_progress') =~ s/"/""/gr;
	$self->ask(qq{LISTEN "$channel"});
	return $self;
}

# Runs one statement; takes in what was notified; returns what else it printed.
sub ask
{
	my ($self, $statement) = @_;
	my $mark = 'heard ' . ++$self->{asked} . '.';

	$self->{timeout}->start(patience(120));
	$self->{in} .= "$statement;\n\\echo '$mark'\n";
	my $end;
	while (($end = index("\n$self->{out}", "\n$mark\n")) < 0)
	{
		die "listener: $self->{err}" unless $self->{run}->pumpable;
		$self->{run}->pump;
	}
	my @rest;
	for my $line (split /\n/, substr($self->{out}, 0, $end + length("$mark\n"), ''))
	{
		if ($line =~ /^Asynchronous notification "(.+?)"(?: with payload "(.*)")? received from server process with PID (\d+)\.$/)
		{
			my $message = { %{ $json->decode($2) }, channel => $1, pid => $3, bytes => length $2, raw => $2 };
			push @{ $self->{heard} }, $message;
		}
		elsif ($line ne $mark)
		{
			push @rest, $line;
		}
	}
	return join "\n", @rest;
}

# What was heard of a stream so far, oldest first.
sub of
{
	my ($self, $stream) = @_;
	$self->ask('SELECT 1');
	return grep { ($_->{stream} // '') eq $stream } @{ $self->{heard} };
}

sub all
{
	my ($self) = @_;
	$self->ask('SELECT 1');
	return @{ $self->{heard} };
}

sub forget
{
	my ($self) = @_;
	$self->ask('SELECT 1');
	$self->{heard} = [];
	return;
}

# Waits for a message of the stream for which the test holds ($_); undef if none comes.
sub wait_for
{
	my ($self, $stream, $test, $seconds) = @_;
	my $end = time + patience($seconds // 20);

	while (1)
	{
		my ($found) = grep { $test->() } $self->of($stream);
		return $found if $found || time > $end;
		usleep(10_000);
	}
}

# Waits until the worker has told everything that is due by now: nothing more
# of what happened before can come after this.  $quick is a session of a kind
# told often; it is incremented, and heard.
sub settle
{
	my ($self, $node, $quick) = @_;
	my $before = grep { ($_->{stream} // '') eq "quick:$quick" } $self->all;

	$node->safe_psql('postgres', 'SELECT sync.sync_progress_flush()');
	$node->safe_psql('postgres', "SELECT sync.sync_progress_increment($quick)");
	my $end = time + patience(20);
	usleep(10_000) while (grep { ($_->{stream} // '') eq "quick:$quick" } $self->all) <= $before && time < $end;
	return;
}

sub quit
{
	my ($self) = @_;
	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish };
	return;
}

1;
