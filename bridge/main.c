/*
 * main.c
 *		From settings to a running bridge.
 *
 * Exit status: 0 after a clean stop, 1 if it cannot run, 2 if it was asked for
 * something wrong.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "accept.h"
#include "admission.h"
#include "bridge.h"
#include "codes.h"
#include "config.h"
#include "conninfo.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "origin.h"
#include "shared.h"
#include "tls.h"
#include "www.h"

#define MAIN_SPARE_FDS	256

extern char **environ;

/*
 * One descriptor for every connection, before libwebsockets sizes its tables.
 */
static void
raise_open_files(struct config *config)
{
	struct rlimit limit;
	rlim_t		want = (rlim_t) config->max_connections + MAIN_SPARE_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (want > limit.rlim_max)
	{
		if (limit.rlim_max <= MAIN_SPARE_FDS)
			die(1, "main", "too few open files allowed hard_limit=%lu",
				(unsigned long) limit.rlim_max);
		want = limit.rlim_max;
		config->max_connections = (int) (want - MAIN_SPARE_FDS);
		log_warn("main", "max_connections lowered to the limit of open files "
				 "max_connections=%d", config->max_connections);
	}
	limit.rlim_cur = want;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("main", "cannot raise the limit of open files");
}

static void
warn_of_open_door(const struct config *config)
{
	if (config->auth == CONFIG_AUTH_NONE)
		log_warn("main", "auth = none: whoever reaches this address sees everything");
}

int
main(int argc, char **argv)
{
	struct config config;
	struct conninfo conninfo;
	struct bridge *bridge;
	char		error[1024];
	const char *problem;
	enum config_action action = config_load(&config, argc, argv, environ, error,
											sizeof(error));

	if (action == CONFIG_HELP || action == CONFIG_VERSION)
	{
		if (action == CONFIG_HELP)
			config_print_help();
		else
			printf("%s %s\n", CODE_PROGRAM, CODE_VERSION);
		config_free(&config);
		return 0;
	}
	if (action == CONFIG_BAD)
		die(2, "config", "%s", error);
	problem = accepts_check(&config);
	if (problem == NULL)
		problem = origins_check(&config.allowed_origin);
	if (problem == NULL)
		problem = tls_check(&config);
	if (problem == NULL)
		problem = admission_check(&config);
	if (problem == NULL)
		problem = http_check(&config);
	if (problem == NULL)
		problem = www_check(config.www);
	if (problem)
		die(2, "config", "%s", problem);
	if (!conninfo_parse(&conninfo, config.db, error, sizeof(error)))
		die(2, "config", "bad value for db: %s", error);
	log_set_level((enum log_level) config.log_level);
	if (action == CONFIG_CHECK)
	{
		puts("configuration ok");
		conninfo_free(&conninfo);
		config_free(&config);
		return 0;
	}

	signal(SIGPIPE, SIG_IGN);
	srand48(time(NULL) ^ ((long) getpid() << 16));
	raise_open_files(&config);
	shared_open(1);
	metrics_open();
	metrics_attach();
	warn_of_open_door(&config);
	bridge = bridge_open(&config, &conninfo);
	bridge_run(bridge);
	bridge_close(bridge);
	log_info("main", "stopped");
	conninfo_free(&conninfo);
	config_free(&config);
	return 0;
}
