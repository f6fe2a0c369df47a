/*
 * check.c
 *		Is a configuration sound?
 *
 * Each module knows what its own settings may be; here they are all asked, for a
 * start, for a reload, and for --check-config, which so cannot differ.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admission.h"
#include "http.h"
#include "log.h"
#include "origin.h"
#include "sockets.h"
#include "tls.h"
#include "www.h"

/*
 * Is this what a service manager hands to the service alone?  Its ExecReload,
 * which asks whether the file is sound, is another process and cannot see it: a
 * reload that failed for that would fail always.  The bridge looks at it itself.
 */
static bool
is_out_of_sight(const char *file)
{
	return strncmp(file, "/run/", 5) == 0 && strstr(file, "/credentials/") &&
		access(file, R_OK) != 0;
}

/*
 * A start serves even what has expired, for most clients would rather be warned
 * than find nobody; a reload finds out by itself whether it is anything new.
 */
static const char *
check_tls(const struct config *config, enum check_when when)
{
	struct tls *tls;
	const char *problem;

	if (when == CHECK_ALONE && is_out_of_sight(config->tls_cert) &&
		is_out_of_sight(config->tls_key))
	{
		log_warn("config", "the certificate is not checked, only the service can read it "
				 "tls_cert=%s", config->tls_cert);
		return NULL;
	}
	problem = tls_load(config, &tls);
	if (problem == NULL && tls && when == CHECK_ALONE)
		problem = tls_date_problem(tls, time(NULL));
	tls_free(tls);
	return problem;
}

static const char *
find_problem(const struct config *config, enum check_when when)
{
	const char *problem = sockets_check(config, when != CHECK_AT_RELOAD);

	if (problem == NULL)
		problem = origins_check(&config->allowed_origin);
	if (problem == NULL)
		problem = check_tls(config, when);
	if (problem == NULL)
		problem = admission_check(config);
	if (problem == NULL)
		problem = http_check(config);
	if (problem == NULL)
		problem = www_check(config->www);
	return problem;
}

/*
 * Can these settings be served?  "conninfo" is where the database is, then, and
 * the caller's to free; else "error" says what is wrong, and where it is written.
 */
bool
check_settings(const struct config *config, enum check_when when,
			   struct conninfo *conninfo, char *error, size_t error_size)
{
	const char *problem = find_problem(config, when);
	char		why[512];
	char		whole[1024];

	if (problem == NULL)
	{
		if (conninfo_parse(conninfo, config->db, why, sizeof(why)))
			return true;
		snprintf(whole, sizeof(whole), "bad value for db: %s", why);
		problem = whole;
	}
	config_locate(config, problem, error, error_size);
	return false;
}
