/*
 * supervisor.c
 *		Keeps so many workers running.
 *
 * It forks them, starts another in the place of one that has ended, passes on
 * signals, and does nothing else: it has no loop, no client and no connection to
 * the database, so there is little in it that could fail, and nothing that a
 * worker would inherit but the settings, the sockets and the shared memory.
 *
 * A worker that is killed takes nobody along.  What it held in shared memory is
 * taken back here, before there is another in its place: until then nobody
 * else writes into its slots.  One that ends at once again and again is started
 * after a pause that grows.
 *
 * One that lives and does nothing any more, or never comes to its end, is killed:
 * its clients hang on it, and a service manager's watchdog hears the supervisor.
 * If it holds a lock meanwhile it is killed much sooner, and alone: all others
 * hang on that, who do nothing either, and are well.  What the supervisor itself
 * needs such a lock for it puts off, or nobody would be left to do that.
 * It is the supervisor's own turns that are counted, so that a machine that was
 * stopped finds nobody stuck when it goes on.
 *
 * At the start all of them must come up: one that says that it cannot, by its exit
 * status, ends them all, so that a mistake is seen at once and not behind three
 * that serve.  Later the others go on without it, whatever it says.
 *
 * Signals.  All of them wait in a descriptor, there are no handlers and so no
 * races with them.  A service manager or a terminal may send a signal to all
 * processes, and the worker hears it twice then: see loop.c.  If the supervisor
 * is killed the kernel sends SIGTERM to the workers, and they drain: nobody is
 * left who would serve without being watched.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backoff.h"
#include "log.h"
#include "loop.h"
#include "shared.h"

#define SUPERVISOR_SETTLED_MS	10000	/* a worker that ran so long was well */
#define SUPERVISOR_TICK_MS		1000
#define SUPERVISOR_AGAIN_MS		100 /* to take back what a worker held */
#define SUPERVISOR_FIRST_S		0.1
#define SUPERVISOR_MAX_S		10.0

struct worker
{
	pid_t		pid;			/* 0: it does not run */
	int64_t		since_ms;		/* it does, or */
	int64_t		due_ms;			/* when to start it */
	uint64_t	turns;			/* as it was seen last */
	int			still_s;		/* and has been for so long */
	int			holding_s;		/* with what the others need */
	bool		is_owing;		/* what it held has not been taken back */
	bool		has_served;		/* it, or one before in its place */
	struct backoff backoff;
};

struct supervisor
{
	const struct supervisor_ops *ops;
	void	   *arg;
	int			signals;		/* a descriptor */
	int			told;			/* the end of a pipe in which workers say that
								 * they serve */
	bool		has_started;	/* all have served */
	bool		is_stopping;
	int			status;			/* to end with */
	int64_t		look_ms;		/* when to look who is stuck */
	int			count;
	struct worker *workers;
};

/* In a worker: the pipe's other end; else -1. */
static int	tell = -1;

static void
handled_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

/* ---- in the worker ---- */

/*
 * What has just been forked: become the worker.
 *
 * Signals stay blocked until it serves: before it has somebody who handles them
 * they would just end it.
 */
static int
become(struct supervisor *supervisor, int number, pid_t parent)
{
	char		name[32];		/* 15 characters of it count */

	close(supervisor->signals);
	close(supervisor->told);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
		die(1, "supervisor", "cannot ask to be told of its end: %s", strerror(errno));
	if (getppid() != parent)
		return 0;				/* it has ended meanwhile */
	snprintf(name, sizeof(name), "sync-worker %d", number + 1);
	prctl(PR_SET_NAME, name);
	shared_become(number);
	log_set_worker(number + 1);
	return supervisor->ops->work(supervisor->arg);
}

/* This process serves; it may be one that has no supervisor. */
void
supervisor_tell_serving(void)
{
	unsigned char number = (unsigned char) shared_worker();
	sigset_t	signals;

	if (tell < 0)
		return;
	if (write(tell, &number, 1) != 1)
		log_warn("supervisor", "cannot say that it serves: %s", strerror(errno));
	close(tell);
	tell = -1;
	handled_signals(&signals);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

/* ---- starting ---- */

static void
start_later(struct worker *worker)
{
	int64_t		wait_ms = 0;

	if (loop_clock_ms() - worker->since_ms >= SUPERVISOR_SETTLED_MS)
		backoff_reset(&worker->backoff);
	else
		wait_ms = (int64_t) (backoff_next(&worker->backoff, drand48()) * 1000);
	worker->due_ms = loop_clock_ms() + wait_ms;
}

static void
start(struct supervisor *supervisor, int number)
{
	struct worker *worker = &supervisor->workers[number];
	pid_t		parent = getpid();
	pid_t		pid = fork();

	worker->since_ms = loop_clock_ms();
	if (pid == 0)
		exit(become(supervisor, number, parent));
	if (pid < 0)
	{
		log_error("supervisor", "cannot start a worker: %s", strerror(errno));
		start_later(worker);
		return;
	}
	worker->pid = pid;
	worker->still_s = worker->holding_s = 0;
	log_info("supervisor", "started worker=%d pid=%d", number + 1, (int) pid);
}

static void
start_due(struct supervisor *supervisor)
{
	for (int i = 0; i < supervisor->count && !supervisor->is_stopping; i++)
	{
		struct worker *worker = &supervisor->workers[i];

		if (worker->pid != 0 || loop_clock_ms() < worker->due_ms)
			continue;
		worker->is_owing = worker->is_owing && !supervisor->ops->take_back(supervisor->arg, i);
		if (worker->is_owing)
			worker->due_ms = loop_clock_ms() + SUPERVISOR_AGAIN_MS;
		else
			start(supervisor, i);
	}
}

/* ---- ending ---- */

static void
pass_on(const struct supervisor *supervisor, int signal)
{
	for (int i = 0; i < supervisor->count; i++)
		if (supervisor->workers[i].pid)
			kill(supervisor->workers[i].pid, signal);
}

static void
stop(struct supervisor *supervisor, int signal)
{
	if (!supervisor->is_stopping)
		supervisor->ops->stop(supervisor->arg);
	supervisor->is_stopping = true;
	pass_on(supervisor, signal);
}

static void
say_ended(int number, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_error("supervisor", "killed worker=%d pid=%d signal=%d", number + 1,
				  (int) pid, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_error("supervisor", "failed worker=%d pid=%d status=%d", number + 1,
				  (int) pid, WEXITSTATUS(status));
	else
		log_info("supervisor", "ended worker=%d pid=%d", number + 1, (int) pid);
}

static void
ended(struct supervisor *supervisor, int number, int status, int64_t cpu_us)
{
	struct worker *worker = &supervisor->workers[number];
	bool		is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	say_ended(number, worker->pid, status);
	worker->pid = 0;
	supervisor->ops->gone(supervisor->arg, number, cpu_us);
	worker->is_owing = !supervisor->ops->take_back(supervisor->arg, number);
	start_later(worker);
	if (supervisor->is_stopping)
	{
		if (!is_well && supervisor->status == 0)
			supervisor->status = 1;
	}
	else if (!supervisor->has_started && !worker->has_served && WIFEXITED(status) && !is_well)
	{
		log_error("supervisor", "a worker cannot start, so all end");
		supervisor->status = WEXITSTATUS(status);
		stop(supervisor, SIGTERM);
	}
}

static void
reap(struct supervisor *supervisor)
{
	struct rusage used;
	int			status;
	pid_t		pid;

	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0)
		for (int i = 0; i < supervisor->count; i++)
			if (supervisor->workers[i].pid == pid)
				ended(supervisor, i, status,
					  (int64_t) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
					  used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Has this one turned since the last look?  And if not, does it hold others up? */
static void
look_at(struct supervisor *supervisor, int number)
{
	struct worker *worker = &supervisor->workers[number];
	uint64_t	turns = supervisor->ops->turns(supervisor->arg, number);

	worker->still_s = turns == worker->turns ? worker->still_s + 1 : 0;
	worker->turns = turns;
	worker->holding_s = worker->still_s > 0 && supervisor->ops->holds(supervisor->arg, number) ?
		worker->holding_s + 1 : 0;
}

/* Once a second: whoever is stuck has to go. */
static void
end_stuck(struct supervisor *supervisor)
{
	const struct supervisor_ops *ops = supervisor->ops;
	int64_t		now_ms = loop_clock_ms();

	if (now_ms < supervisor->look_ms)
		return;
	supervisor->look_ms = now_ms + SUPERVISOR_TICK_MS;
	for (int i = 0; i < supervisor->count; i++)
	{
		struct worker *worker = &supervisor->workers[i];
		bool		holds_up;

		look_at(supervisor, i);
		holds_up = worker->holding_s > ops->holding_s;
		if (worker->pid == 0 || (worker->still_s <= ops->stuck_s && !holds_up))
			continue;
		log_error("supervisor", "stuck%s, and killed worker=%d pid=%d seconds=%d",
				  holds_up ? " with what the others need" : "", i + 1, (int) worker->pid,
				  worker->still_s - 1);
		worker->still_s = worker->holding_s = 0;
		kill(worker->pid, SIGKILL);
	}
}

/* ---- what comes in ---- */

static void
hear_workers(struct supervisor *supervisor)
{
	unsigned char number;
	bool		have_all = true;

	while (read(supervisor->told, &number, 1) == 1)
		if (number < supervisor->count)
			supervisor->workers[number].has_served = true;
	for (int i = 0; i < supervisor->count; i++)
		have_all &= supervisor->workers[i].has_served;
	if (!have_all || supervisor->has_started || supervisor->is_stopping)
		return;
	supervisor->has_started = true;
	supervisor->ops->serving(supervisor->arg);
}

static void
hear_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) == sizeof(info))
		switch (info.ssi_signo)
		{
			case SIGCHLD:
				break;			/* several may have ended: see reap() */
			case SIGHUP:
				if (supervisor->is_stopping)
					break;
				supervisor->ops->reload(supervisor->arg);
				pass_on(supervisor, SIGHUP);
				break;
			default:
				log_info("supervisor", "stopping signal=%u", info.ssi_signo);
				stop(supervisor, (int) info.ssi_signo);
				break;
		}
}

/* Until a worker is due, or the next tick. */
static int
wait_ms(const struct supervisor *supervisor)
{
	int64_t		first_ms = SUPERVISOR_TICK_MS;

	for (int i = 0; i < supervisor->count && !supervisor->is_stopping; i++)
	{
		int64_t		left_ms = supervisor->workers[i].due_ms - loop_clock_ms();

		if (supervisor->workers[i].pid)
			continue;
		if (left_ms < 0)
			left_ms = 0;
		if (left_ms < first_ms)
			first_ms = left_ms;
	}
	return (int) first_ms;
}

static bool
has_workers(const struct supervisor *supervisor)
{
	for (int i = 0; i < supervisor->count; i++)
		if (supervisor->workers[i].pid)
			return true;
	return false;
}

/* ---- life ---- */

static void
set_up(struct supervisor *supervisor)
{
	sigset_t	signals;
	int			ends[2];

	handled_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	supervisor->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (supervisor->signals < 0 || pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		die(1, "supervisor", "cannot begin: %s", strerror(errno));
	supervisor->told = ends[0];
	tell = ends[1];
	supervisor->count = shared_workers();
	supervisor->workers = mem_zalloc(sizeof(*supervisor->workers) * (size_t) supervisor->count);
	for (int i = 0; i < supervisor->count; i++)
		supervisor->workers[i].backoff = (struct backoff)
	{
		.first_s = SUPERVISOR_FIRST_S, .max_s = SUPERVISOR_MAX_S
	};
}

/*
 * Run as many workers as shared_open() was told, until a signal says to stop and
 * the last of them has ended.  Returns the status to end with.
 */
int
supervise(const struct supervisor_ops *ops, void *arg)
{
	struct supervisor supervisor = {.ops = ops, .arg = arg};

	set_up(&supervisor);
	while (!supervisor.is_stopping || has_workers(&supervisor))
	{
		struct pollfd sources[2] = {
			{.fd = supervisor.signals, .events = POLLIN}, {.fd = supervisor.told, .events = POLLIN}
		};

		start_due(&supervisor);
		if (poll(sources, 2, wait_ms(&supervisor)) < 0 && errno != EINTR)
			die(1, "supervisor", "cannot wait: %s", strerror(errno));
		hear_workers(&supervisor);
		hear_signals(&supervisor);
		reap(&supervisor);
		end_stuck(&supervisor);
		ops->tick(arg, loop_clock_ms());
	}
	close(supervisor.signals);
	close(supervisor.told);
	close(tell);
	free(supervisor.workers);
	return supervisor.status;
}
