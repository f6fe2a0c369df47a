/*
 * reload.c
 *		The settings, read again while the bridge runs.
 *
 * All or nothing: the new ones are read and checked whole, and whatever could
 * still fail (the certificate, the directory of files, the paths) is made ready
 * before anything is changed.  If one of them is wrong, that is said, and the old
 * ones go on, every one of them.
 *
 * What cannot change in a process that runs keeps its old value and is named.
 * Modules hold a pointer to the configuration, which stays where it is: its
 * contents are exchanged, those who keep something made of it are told, and then
 * the old contents go.  Nobody's connection ends for it.
 */
#include "reload.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accept.h"
#include "admission.h"
#include "auth.h"
#include "boot.h"
#include "buf.h"
#include "check.h"
#include "http.h"
#include "log.h"
#include "openfiles.h"
#include "parts.h"
#include "route.h"
#include "service.h"
#include "settings.h"
#include "tls.h"
#include "www.h"

/* What is made of the new settings before they count. */
struct fresh
{
	struct config config;
	struct conninfo conninfo;
	struct tls *tls;			/* NULL: none */
	struct www *www;			/* likewise */
	struct routes *routes;
};

/* Of the changes, by name: those that took effect, and those that cannot. */
struct changes
{
	struct buf	made;
	struct buf	left;
};

static void
fresh_free(struct fresh *fresh)
{
	config_free(&fresh->config);
	conninfo_free(&fresh->conninfo);
	tls_free(fresh->tls);
	if (fresh->www)
		www_close(fresh->www);
	if (fresh->routes)
		routes_free(fresh->routes);
}

/* Make ready what can fail.  False: "error" says what is wrong. */
static bool
prepare(struct fresh *fresh, const struct tls *served, char *error, size_t error_size)
{
	const struct config *config = &fresh->config;
	const char *problem = tls_load(config, &fresh->tls);

	if (problem == NULL && fresh->tls && !(served && tls_is_same(fresh->tls, served)))
		problem = tls_date_problem(fresh->tls, time(NULL));
	if (problem == NULL && config->www[0])
	{
		fresh->www = www_open(config->www, &problem);
		if (fresh->www)
			problem = NULL;
	}
	if (problem)
	{
		config_locate(config, problem, error, error_size);
		return false;
	}
	fresh->routes = http_routes_create(config, error, error_size);
	return fresh->routes != NULL;
}

static bool
read_again(struct fresh *fresh, const struct tls *served, const struct boot *boot,
		   char *error, size_t error_size)
{
	if (config_load(&fresh->config, boot->argc, boot->argv, boot->envp, error,
					(int) error_size) != CONFIG_RUN)
		return false;
	return check_settings(&fresh->config, CHECK_AT_RELOAD, &fresh->conninfo, error,
						  error_size) &&
		prepare(fresh, served, error, error_size);
}

/*
 * A vhost of libwebsockets either speaks TLS or does not; what it speaks it with
 * may change.
 */
static bool
can_change(const struct setting *setting, const struct config *from, const struct config *to)
{
	if (strncmp(setting->key, "tls_", 4) == 0 && tls_is_on(from) != tls_is_on(to))
		return false;
	return setting->change == SETTING_LIVE;
}

static void
add_name(struct buf *names, const char *name)
{
	if (names->len > 0)
		buf_add_text(names, ",");
	buf_add_text(names, name);
}

/* Exchange the settings' values, but for those that cannot change. */
static void
exchange(struct config *config, struct fresh *fresh, struct changes *changes)
{
	struct config was = *config;
	bool		is_fixed[SETTINGS_MAX] = {false};

	for (int i = 0; i < settings_count; i++)
	{
		if (!config_differs(config, &fresh->config, i))
			continue;
		is_fixed[i] = !can_change(&settings[i], config, &fresh->config);
		add_name(is_fixed[i] ? &changes->left : &changes->made, settings[i].key);
	}
	*config = fresh->config;
	fresh->config = was;
	for (int i = 0; i < settings_count; i++)
		if (is_fixed[i])
			config_swap(config, &fresh->config, i);
}

/* Exchange what was read from files.  True: the certificate is another one. */
static bool
apply_files(struct tls **tls, struct www **www, struct fresh *fresh)
{
	struct www *was = *www;
	bool		is_other = *tls && fresh->tls && !tls_is_same(*tls, fresh->tls);

	*www = fresh->www;
	fresh->www = was;
	if (*tls && fresh->tls)
		tls_swap(*tls, fresh->tls);
	return is_other;
}

/* Tell those who keep something that was made of the settings. */
static void
apply(struct bridge *bridge, struct fresh *fresh)
{
	const struct config *config = bridge->config;
	struct routes *routes = bridge->routes;

	log_set_level((enum log_level) config->log_level);
	auth_set_audience(bridge->auth, config->audience);
	admission_set(bridge->admission, config);
	accepts_set(bridge->accepts, config);
	bridge->routes = fresh->routes;
	fresh->routes = routes;
	if (apply_files(&bridge->tls, &bridge->www, fresh))
		tls_announce(bridge->tls);
}

static void
say(const struct changes *changes)
{
	if (changes->left.len > 0)
		log_warn("reload", "the old value goes on, a new one needs a restart settings=%s",
				 changes->left.data);
	log_info("reload", "settings and certificate were read again changed=%s",
			 changes->made.len > 0 ? changes->made.data : "nothing");
}

/*
 * In the supervisor, which has no bridge: for the workers that will be started.
 * Those that run read them themselves, and say what they find.
 */
void
reload_settings(struct boot *boot)
{
	struct fresh fresh = {0};
	struct changes changes = {0};
	char		error[1024];

	service_reloading();
	if (read_again(&fresh, boot->tls, boot, error, sizeof(error)))
	{
		openfiles_bound(&fresh.config);
		exchange(&boot->config, &fresh, &changes);
		log_set_level((enum log_level) boot->config.log_level);
		admission_set(boot->admission, &boot->config);
		(void) apply_files(&boot->tls, &boot->www, &fresh);
	}
	fresh_free(&fresh);
	buf_free(&changes.made);
	buf_free(&changes.left);
	service_ready();
}

/*
 * Read the settings again, and take them over if they are sound.
 */
void
reload(struct bridge *bridge, struct boot *boot)
{
	struct fresh fresh = {0};
	struct changes changes = {0};
	char		error[1024];

	service_reloading();
	if (read_again(&fresh, bridge->tls, boot, error, sizeof(error)))
	{
		openfiles_bound(&fresh.config);
		exchange(&boot->config, &fresh, &changes);
		apply(bridge, &fresh);
		say(&changes);
	}
	else
		log_error("reload", "not taken over, the old settings go on: %s", error);
	fresh_free(&fresh);
	buf_free(&changes.made);
	buf_free(&changes.left);
	service_ready();
}
