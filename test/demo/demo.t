# The demo keeps its promises: its exit status is true, it gives way to a taken
# port and to a demo that runs already, and however it ends it leaves nothing
# running.
#
# A small mailbox instead of the package index, so that it takes seconds; the
# last test runs the job as "make demo" does, on the real input.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use IO::Socket::INET;
use POSIX qw(setsid WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

my $top = "$FindBin::RealBin/../..";
my $work = tempdir(CLEANUP => 1);
chmod 0755, $work;

# A mailbox: every seventh message has no sender, every third an amount.
my $mbox = "$work/mbox";
open my $out, '>', $mbox or die $!;
for my $n (1 .. 300)
{
	print $out "From x\@example.com Thu Jan  1 10:00:00 2015\n";
	print $out 'From: ', $n % 7 ? "Someone <s$n\@bank" . ($n % 4) . ".example>" : 'nobody', "\n";
	print $out "Subject: message $n\n\n", $n % 3 ? 'hello' : "You paid \$1,$n.50", "\n\n";
}
close $out;

sub free_port
{
	return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
}

# Starts the demo in a session of its own, printing to a file; returns its pid.
sub start_demo
{
	my ($out, %env) = @_;
	unlink $out;
	my $pid = fork() // die $!;
	return $pid if $pid;
	setsid();
	$ENV{$_} = $env{$_} for keys %env;
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', $out;
	open STDERR, '>&', \*STDOUT;
	exec "$top/demo/demo.sh" or POSIX::_exit(127);
}

sub slurp
{
	my ($file) = @_;
	open my $in, '<', $file or return '';
	local $/;
	return scalar <$in> // '';
}

sub wait_until
{
	my ($what, $condition) = @_;
	my $deadline = time + 120;
	while (!$condition->())
	{
		return 0 if time > $deadline;
		sleep 0.1;
	}
	return 1;
}

# Waits for the end of a demo; returns its exit status, or that of a signal.
sub end_of
{
	my ($pid) = @_;
	my $status;
	wait_until("demo $pid ends", sub { waitpid($pid, WNOHANG) == $pid and defined($status = $?) });
	return defined $status ? ($status & 127 ? "signal " . ($status & 127) : $status >> 8) : 'still running';
}

# What is left of a demo: everything in its session (by the fourth field after
# the command in stat), and whatever names its directory.
sub left_of
{
	my ($pid, $dir) = @_;
	my @left;
	for my $proc (glob '/proc/[0-9]*')
	{
		my ($session) = slurp("$proc/stat") =~ /\) \S \d+ \d+ (\d+)/ or next;
		my $command = slurp("$proc/cmdline") =~ tr/\0/ /r;
		next if slurp("$proc/stat") =~ /\) Z/;
		push @left, "$proc $command" if $session == $pid or $command =~ /\Q$dir\E/;
	}
	return join "\n", @left;
}

# 1. The whole way, on a port that is taken.
my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my %env = (MBOX => $mbox, DEMO_DIR => "$work/one", DEMO_EXIT => 1, DEMO_RATE => 'max', DEMO_PORT => $taken->sockport);
my $pid = start_demo("$work/one.out", %env);
is(end_of($pid), 0, 'DEMO_EXIT=1 exits with 0') or diag(slurp("$work/one.out"));
my $said = slurp("$work/one.out");
like($said, qr/Port @{[$taken->sockport]} is taken/, 'it says that the port is taken');
like($said, qr/300 messages in .*: 86 detected, 42 errors/, 'it counted what is in the mailbox');
like($said, qr/latency from commit to WebSocket client: samples=200 lost=0/, 'it measured the latency');
is(left_of($pid, "$work/one"), '', 'nothing is left running');

# 2. Once more in the same directory, now interrupted in the middle of the job,
# as Ctrl-C does it: the whole process group at once.
$env{DEMO_RATE} = 20;
$env{DEMO_PORT} = free_port();
$pid = start_demo("$work/one.out", %env);
ok(wait_until('the job runs', sub { slurp("$work/one.out") =~ m{ \d+/300 } }), 'it runs a second time in the same directory')
	or diag(slurp("$work/one.out"));

# 3. Meanwhile another one may run elsewhere, but not here.
my $second = start_demo("$work/second.out", %env);
is(end_of($second), 1, 'a second demo in the same directory is refused');
my $third = start_demo("$work/two.out", %env, DEMO_DIR => "$work/two", DEMO_RATE => 'max');
is(end_of($third), 0, 'a demo in another directory runs meanwhile') or diag(slurp("$work/two.out"));

kill INT => -$pid;
is(end_of($pid), 130, 'Ctrl-C ends it');
is(left_of($pid, "$work/one"), '', 'and nothing is left running');

# 4. SIGTERM while it is still setting up.
$pid = start_demo("$work/one.out", %env);
ok(wait_until('it builds', sub { slurp("$work/one.out") =~ /Starting a private PostgreSQL/ }), 'it runs a third time');
kill TERM => $pid;
is(end_of($pid), 143, 'SIGTERM ends it');
is(left_of($pid, "$work/one"), '', 'and nothing is left running');

# 5. Killed outright, it can end nothing; the next one does.
$pid = start_demo("$work/one.out", %env);
ok(wait_until('the job runs', sub { slurp("$work/one.out") =~ m{ \d+/300 } }), 'it runs a fourth time');
kill KILL => $pid;
is(end_of($pid), 'signal 9', 'it is killed');
isnt(left_of($pid, "$work/one"), '', 'which leaves servers behind');

# 6. The real input.
delete $env{MBOX};
$pid = start_demo("$work/one.out", %env, DEMO_RATE => 'max');
is(end_of($pid), 0, 'the package index is synced') or diag(slurp("$work/one.out"));
like(slurp("$work/one.out"), qr/equals the table/, 'to the message');
is(left_of($pid, "$work/one"), '', 'and what was left is gone');

# 7. Cleaning up.
$ENV{DEMO_DIR} = "$work/one";
is(system("$top/demo/clean.sh >/dev/null"), 0, 'make demo-clean succeeds');
ok(!-e "$work/one", 'and removes the directory');

done_testing();
