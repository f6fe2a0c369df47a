/*
 * main.c
 *		From settings to a running bridge.
 *
 * Exit status: 0 after a clean stop, 1 if it cannot run, 2 if it was asked for
 * something wrong.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>
#include <libwebsockets.h>
#include <openssl/crypto.h>

#include "admission.h"
#include "boot.h"
#include "bridge.h"
#include "check.h"
#include "codes.h"
#include "doctor.h"
#include "config.h"
#include "digest.h"
#include "lock.h"
#include "log.h"
#include "metrics.h"
#include "pace.h"
#include "openfiles.h"
#include "process.h"
#include "reload.h"
#include "service.h"
#include "shared.h"
#include "sockets.h"
#include "supervisor.h"
#include "tls.h"
#include "vitals.h"
#include "www.h"

#define MAIN_STUCK_S	30		/* as a service manager waits for its watchdog */
#define MAIN_HOLDING_S	3		/* with a lock, which nobody has for a
								 * millisecond */
#define MAIN_STOP_MS	5000	/* for workers to end, after all clients have */

extern char **environ;

static void
warn_of_open_door(const struct config *config)
{
	if (config->auth == CONFIG_AUTH_NONE)
		log_warn("main", "auth = none: whoever reaches this address sees everything");
}

/*
 * Descriptors that whoever started this has closed would be given to sockets, and
 * what is logged would go to a client.
 */
static void
hold_standard(void)
{
	int			fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The signal waits until somebody is there for it. */
static void
hold_up(int number)
{
	sigset_t	set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void
print_version(void)
{
	printf("%s %s\nlibwebsockets %.*s, libpq %d.%d, %s, systemd %s\n", CODE_PROGRAM, CODE_VERSION,
		   (int) strcspn(lws_get_library_version(), "-"), lws_get_library_version(),
		   PQlibVersion() / 10000, PQlibVersion() % 10000,
		   OpenSSL_version(OPENSSL_VERSION), service_is_known() ? "yes" : "no");
}

/* Read and check the settings.  What was only asked about ends the program here. */
static void
read_settings(struct boot *boot)
{
	char		error[1024];
	enum config_action action = config_load(&boot->config, boot->argc, boot->argv,
											boot->envp, error, sizeof(error));

	if (action == CONFIG_HELP || action == CONFIG_VERSION)
	{
		if (action == CONFIG_HELP)
			config_print_help();
		else
			print_version();
		config_free(&boot->config);
		exit(0);
	}
	if (action == CONFIG_BAD ||
		!check_settings(&boot->config, action == CONFIG_CHECK ? CHECK_ALONE : CHECK_AT_START,
						&boot->conninfo, error, sizeof(error)))
		die(2, "config", "%s", error);
	log_set_level((enum log_level) boot->config.log_level);
	warn_of_open_door(&boot->config);
	if (action == CONFIG_DOCTOR)
	{
		int			status = doctor_run(&boot->config, &boot->conninfo);

		conninfo_free(&boot->conninfo);
		config_free(&boot->config);
		exit(status);
	}
	if (action == CONFIG_CHECK)
	{
		puts("configuration ok");
		conninfo_free(&boot->conninfo);
		config_free(&boot->config);
		exit(0);
	}
}

/* How many workers there are to be: 0 is one for each core that may be used. */
static int
count_workers(const struct config *config)
{
	cpu_set_t	cores;
	int			count = config->workers;

	if (count == 0)
		count = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
	return count < CONFIG_WORKERS_MAX ? count : CONFIG_WORKERS_MAX;
}

/* What is read from files, once for all workers. */
static void
load(struct boot *boot)
{
	const struct config *config = &boot->config;
	const char *error = tls_load(config, &boot->tls);

	if (error)
		die(2, "main", "%s", error);
	if (config->www[0] == '\0')
		return;
	boot->www = www_open(config->www, &error);
	if (boot->www == NULL)
		die(2, "main", "cannot serve www \"%s\": %s", config->www, error);
}

/* What all workers share, before there is any of them. */
static void
share(struct boot *boot)
{
	shared_open(count_workers(&boot->config));
	digest_open();
	locks_open();
	metrics_open();
	processes_open();
	vitals_open();
	boot->admission = admission_create(&boot->config);
	boot->pace = pace_create();
}

/* The bridge serves, with all its workers. */
static void
serving(void *arg)
{
	struct boot *boot = arg;

	sockets_announce(&boot->sockets);
	service_ready();
}

/* Be a worker, or all there is: serve until told to stop. */
static int
work(void *arg)
{
	struct boot *boot = arg;
	struct bridge *bridge;

	if (shared_workers() > 1)
		unsetenv("NOTIFY_SOCKET");	/* the supervisor speaks for all */
	locks_attach();
	metrics_attach();
	process_attach();
	vitals_attach();
	srand48(time(NULL) ^ ((long) getpid() << 16));
	bridge = bridge_open(boot);
	if (shared_workers() == 1)
		serving(boot);
	else
		supervisor_tell_serving();
	bridge_run(bridge);
	bridge_close(bridge);
	return 0;
}

static void
worker_gone(void *arg, int worker, int64_t cpu_us)
{
	(void) arg;
	metrics_worker_gone(worker);
	process_gone(worker, cpu_us);
	vitals_worker_gone(worker);
}

static bool
take_back(void *arg, int worker)
{
	struct boot *boot = arg;

	return admission_worker_gone(boot->admission, worker);
}

static bool
holds(void *arg, int worker)
{
	(void) arg;
	return lock_is_held_by(worker);
}

/* The workers stop accepting; who came after that would wait for nobody. */
static void
stop(void *arg)
{
	struct boot *boot = arg;

	service_stopping(boot->config.drain_seconds * INT64_C(1000) + MAIN_STOP_MS);
	sockets_close(&boot->sockets);
}

static void
tick(void *arg, int64_t now_ms)
{
	(void) arg;
	service_tick(now_ms);
	service_tell("serving %" PRId64 " connections, workers=%d running=%" PRId64 " ready=%" PRId64,
				 metric_get(METRIC_CONNECTIONS), shared_workers(), metric_get(METRIC_WORKERS),
				 metric_get(METRIC_WORKERS_READY));
}

static void
read_again(void *arg)
{
	reload_settings(arg);
}

static uint64_t
turns(void *arg, int worker)
{
	(void) arg;
	return vitals_turns(worker);
}

static const struct supervisor_ops supervisor_ops = {
	.turns = turns, .stuck_s = MAIN_STUCK_S, .holds = holds, .holding_s = MAIN_HOLDING_S,
	.work = work, .gone = worker_gone, .take_back = take_back, .serving = serving, .tick = tick, .reload = read_again, .stop = stop
};

int
main(int argc, char **argv)
{
	struct boot boot = {.argc = argc, .argv = argv, .envp = environ};
	int			status;

	hold_standard();
	hold_up(SIGHUP);
	read_settings(&boot);
	signal(SIGPIPE, SIG_IGN);
	openfiles_raise(&boot.config);
	load(&boot);
	sockets_open(&boot.sockets, &boot.config);
	share(&boot);
	status = shared_workers() == 1 ? work(&boot) : supervise(&supervisor_ops, &boot);
	log_info("main", "stopped");
	admission_free(boot.admission);
	tls_free(boot.tls);
	if (boot.www)
		www_close(boot.www);
	conninfo_free(&boot.conninfo);
	config_free(&boot.config);
	return status;
}
