/*
 * openfiles.c
 *		How many files may be open, and so how many connections.
 *
 * Each connection is a descriptor.  libwebsockets sizes its tables by the limit
 * that there is when it starts, so that is the bound for as long as the bridge
 * runs.
 */
#include "openfiles.h"

#include <stdbool.h>
#include <sys/resource.h>

#include "config.h"
#include "log.h"

#define OPENFILES_SPARE	256		/* for what is no connection */

static bool
bound(struct config *config, rlim_t files)
{
	if ((rlim_t) config->max_connections + OPENFILES_SPARE <= files)
		return false;
	config->max_connections = (int) (files - OPENFILES_SPARE);
	return true;
}

/* One descriptor for every connection; at boot, before libwebsockets. */
void
openfiles_raise(struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_max <= OPENFILES_SPARE)
		die(1, "main", "too few open files allowed hard_limit=%lu",
			(unsigned long) limit.rlim_max);
	if (bound(config, limit.rlim_max))
		log_warn("main", "max_connections lowered to the limit of open files "
				 "max_connections=%d", config->max_connections);
	limit.rlim_cur = (rlim_t) config->max_connections + OPENFILES_SPARE;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("main", "cannot raise the limit of open files");
}

/* Other settings are to be taken over, but no other limit. */
void
openfiles_bound(struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && bound(config, limit.rlim_cur))
		log_warn("reload", "max_connections needs a restart to go above what may be open "
				 "max_connections=%d", config->max_connections);
}
