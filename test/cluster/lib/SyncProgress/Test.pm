# SyncProgress::Test
#	What the cluster tests share: servers with the extension, and questions
#	they all ask.
#
# PostgreSQL's own modules come from the server's development package.  Nothing
# here sleeps for a fixed time: everything waits for a condition, and the
# condition not coming true in time is the failure.
package SyncProgress::Test;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp ();
use POSIX ();

our @EXPORT = qw(new_cluster new_session increment flush counted worker_pid worker_at_work
  wait_for_worker wait_until patience start_after_kill accepts_connections pgbench_start quick_kind script own_tree end_worker stop_without_worker);

BEGIN
{
	my $config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $pgxs = `$config --pgxs`);
	my $src = dirname(dirname($pgxs));

	# server programs first in PATH, wherever the distribution keeps them
	chomp(my $bindir = `$config --bindir`);
	$ENV{PATH} = "$bindir:$ENV{PATH}"
	  unless grep { -x "$_/initdb" } split /:/, $ENV{PATH};
	$ENV{PG_REGRESS} ||= "$src/test/regress/pg_regress";
	$ENV{TESTDIR} ||= File::Temp::tempdir('sync-progress-XXXXXX', TMPDIR => 1, CLEANUP => 1);
	# what these two are made of differs from version to version
	$ENV{TESTLOGDIR} ||= "$ENV{TESTDIR}/log";
	$ENV{TESTDATADIR} ||= "$ENV{TESTDIR}/tmp_check";
	unshift @INC, "$src/test/perl";
}

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# So long may take what takes so many seconds at most, under a tool that makes
# everything slow: TEST_TIMEOUT_FACTOR times as long.
sub patience { return $_[0] * ($ENV{TEST_TIMEOUT_FACTOR} || 1); }

# A copy of the server's programs, with links to all else they need, in which
# files can be put beside the extension's.  Returns what new_cluster() wants as
# install_path, and the directory of the scripts.
sub own_tree
{
	my $config = $ENV{PG_CONFIG} || 'pg_config';
	my $tree = File::Temp::tempdir('tree-XXXXXX', DIR => $ENV{TESTDIR}, CLEANUP => 1);
	my %dir;

	for my $which (qw(bindir sharedir pkglibdir))
	{
		chomp($dir{$which} = `$config --$which`);
		make_path("$tree$dir{$which}");
		for my $entry (glob "$dir{$which}/*")
		{
			# programs find the rest relative to where they really are
			if ($which eq 'bindir') { copy($entry, "$tree$entry"); chmod 0755, "$tree$entry"; }
			elsif ($entry !~ m{/extension$}) { symlink $entry, "$tree$entry"; }
		}
	}
	my $scripts = "$tree$dir{sharedir}/extension";
	make_path($scripts);
	symlink $_, "$scripts/" . basename($_) for glob "$dir{sharedir}/extension/*";
	return (dirname("$tree$dir{bindir}"), $scripts);
}

# A started server.  Options: preload (1), extension (1: created in schema sync
# of database postgres), conf (more settings), install_path (another PostgreSQL,
# see own_tree()), initdb (more arguments), start (1).
sub new_cluster
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $option{install_path});

	# whatever the environment says: some tests are about letters
	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8', @{ $option{initdb} // [] } ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sync_progress'") if $option{preload} // 1;
	$node->append_conf('postgresql.conf', "restart_after_crash = on\nmax_connections = 60\nlog_statement = none\n");
	# under a tool that makes it slow
	$node->append_conf('postgresql.conf', $ENV{TEST_SERVER_SETTINGS}) if $ENV{TEST_SERVER_SETTINGS};
	$node->append_conf('postgresql.conf', $option{conf}) if $option{conf};
	return $node unless $option{start} // 1;
	$node->start;
	$node->safe_psql('postgres', 'CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync;')
	  if $option{extension} // 1;
	return $node;
}

# Starts a session; further arguments as SQL, e.g. "total_count => 10".
sub new_session
{
	my ($node, $arguments, $db) = @_;
	$arguments = "'alice'" . ($arguments ? ", $arguments" : '');
	return $node->safe_psql($db // 'postgres', "SELECT sync.sync_session_start($arguments)");
}

sub increment
{
	my ($node, $session, $amount, $db) = @_;
	return $node->safe_psql($db // 'postgres', "SELECT sync.sync_progress_increment($session, $amount)");
}

sub flush
{
	my ($node, $db) = @_;
	$node->safe_psql($db // 'postgres', 'SELECT sync.sync_progress_flush()');
	return;
}

# A session's count as the table has it once everything is folded.
sub counted
{
	my ($node, $session, $db) = @_;
	flush($node, $db);
	return $node->safe_psql($db // 'postgres', "SELECT processed_count FROM sync.sync_sessions WHERE id = $session");
}

# The worker's pid, '' when there is none.  Asks the server, not the extension.
sub worker_pid
{
	my ($node, $db) = @_;
	$db //= 'postgres';
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'sync_progress%' AND datname = '$db' AND backend_type !~ 'launcher'");
}

# The same for one that has said what it does: it is in office.  One that has
# only just been started may leave again, for another was quicker or the
# extension is not there yet; and who sends workers away does not know of it.
sub worker_at_work
{
	my ($node, $db) = @_;
	$db //= 'postgres';
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync_progress worker' AND datname = '$db' AND query <> ''");
}

# Waits until a worker other than $before serves the database; its pid.
sub wait_for_worker
{
	my ($node, $db, $before) = @_;
	my $pid = '';
	wait_until(sub { $pid = worker_at_work($node, $db); $pid =~ /^\d+$/ && $pid ne ($before // '') }, "a worker in " . ($db // 'postgres'));
	return $pid;
}

# Waits until the condition holds; false, after a diagnosis, if it does not.
sub wait_until
{
	my ($condition, $what, $seconds) = @_;
	my $end = time + patience($seconds // 30);

	until ($condition->())
	{
		if (time > $end)
		{
			diag("waited in vain for $what");
			return 0;
		}
		usleep(20_000);
	}
	return 1;
}

# Not by psql: one that is refused has no ear for the statement it is sent.
sub accepts_connections
{
	my ($node) = @_;
	return IPC::Run::run([ $node->installed_command('pg_isready'), '-q', '-h', $node->host, '-p', $node->port ]);
}

# Ends the worker, and has none come: its launcher is held until
# stop_without_worker() gets what this returns.
sub end_worker
{
	my ($node) = @_;
	my $worker = wait_for_worker($node);
	my $launcher = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync_progress launcher'");
	kill 'STOP', $launcher;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
	wait_until(sub { worker_pid($node) eq '' }, 'the end of the worker');
	return $launcher;
}

# Stops the server, and lets the launcher go when no worker is started any more.
sub stop_without_worker
{
	my ($node, $launcher) = @_;
	my $before = -s $node->logfile;
	my $helper = fork // die $!;
	if ($helper == 0)
	{
		wait_until(sub { slurp_file($node->logfile, $before) =~ /received fast shutdown/ }, 'the stop');
		kill 'CONT', $launcher;
		POSIX::_exit(0);
	}
	$node->stop('fast');
	waitpid $helper, 0;
	return;
}

# Starts a server whose postmaster was killed.  The first attempts may fail:
# the killed one's children hold its shared memory for a moment.
sub start_after_kill
{
	my ($node) = @_;
	return wait_until(
		sub {
			return 1 if $node->start(fail_ok => 1);
			$node->stop('fast', fail_ok => 1);
			return 0;
		},
		'the server to start again');
}

# A kind that is told often: tests of what is told need not wait for seconds.
sub quick_kind
{
	my ($node, $min_interval, $every_interval, $db) = @_;
	$node->safe_psql($db // 'postgres', qq{
		INSERT INTO sync.sync_kinds (kind, channel, param, min_interval, every_interval, payload_function, authorize_function)
		SELECT 'quick', 'QuickChannel', 'id', '$min_interval', '$every_interval', payload_function, authorize_function
		FROM sync.sync_kinds WHERE kind = 'sync'});
	return;
}

# Writes a pgbench script; its path.
sub script
{
	my ($text) = @_;
	my ($handle, $path) = File::Temp::tempfile('script-XXXXXX', DIR => $ENV{TESTDIR}, SUFFIX => '.sql');
	print $handle $text;
	close $handle;
	return $path;
}

# pgbench in the background: {run, out, err}; finish with ->{run}->finish.
sub pgbench_start
{
	my ($node, @arguments) = @_;
	my $bench = { out => '', err => '' };
	$bench->{run} = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-h', $node->host, '-p', $node->port, @arguments, 'postgres' ],
		'<', \undef, '>', \$bench->{out}, '2>', \$bench->{err}, IPC::Run::timeout(patience(120)));
	return $bench;
}

1;
