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
#include "log.h"
#include "metrics.h"
#include "pace.h"
#include "openfiles.h"
#include "service.h"
#include "shared.h"
#include "sockets.h"

extern char **environ;

static void
warn_of_open_door(const struct config *config)
{
	if (config->auth == CONFIG_AUTH_NONE)
		log_warn("main", "auth = none: whoever reaches this address sees everything");
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

/* What all workers share, before there is any of them. */
static void
share(struct boot *boot, int workers)
{
	shared_open(workers);
	digest_open();
	metrics_open();
	boot->admission = admission_create(&boot->config);
	boot->pace = pace_create();
}

int
main(int argc, char **argv)
{
	struct boot boot = {.argc = argc, .argv = argv, .envp = environ};
	struct bridge *bridge;

	hold_up(SIGHUP);
	read_settings(&boot);
	signal(SIGPIPE, SIG_IGN);
	srand48(time(NULL) ^ ((long) getpid() << 16));
	openfiles_raise(&boot.config);
	sockets_open(&boot.sockets, &boot.config);
	share(&boot, 1);
	metrics_attach();
	bridge = bridge_open(&boot);
	sockets_announce(&boot.sockets);
	service_ready();
	bridge_run(bridge);
	bridge_close(bridge);
	log_info("main", "stopped");
	admission_free(boot.admission);
	conninfo_free(&boot.conninfo);
	config_free(&boot.config);
	return 0;
}
