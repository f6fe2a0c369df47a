/*
 * ready.c
 *		Can watchers be served?
 *
 * What a load balancer is told: not whether the process lives, but whether a
 * client that came now would see anything, and what comes after that.
 */
#include "ready.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beat.h"
#include "keys.h"
#include "listen.h"
#include "parts.h"
#include "query.h"
#include "survey.h"

/* Without these nobody sees anything. */
static const char *const essential[] = {
	"sync_progress_subscribe", "sync_progress_snapshots", "sync_progress_keys"
};

/* The rights that are missing, if without them nothing works. */
static bool
lacks_rights(const struct bridge *bridge, char *why, size_t size)
{
	const char *missing = survey_missing_rights(bridge->survey);

	for (size_t i = 0; i < sizeof(essential) / sizeof(essential[0]); i++)
	{
		if (strstr(missing, essential[i]) == NULL)
			continue;
		snprintf(why, size, "the database lets the bridge not EXECUTE %s; README has the GRANT", missing);
		return true;
	}
	return false;
}

static bool
misses_worker(const struct bridge *bridge, char *why, size_t size)
{
	const struct beat *beat = listen_beat(bridge->listen);

	if (!beat_is_missed(beat))
		return false;
	if (beat->pid != 0)
		snprintf(why, size, "the extension's worker does not beat: nothing was heard from process %d for "
				 "%" PRId64 " s; is it stopped, or waiting for a lock? See pg_stat_activity",
				 beat->pid, beat->silent_ms / 1000);
	else
		snprintf(why, size, "the extension's worker does not run since %" PRId64 " s; is "
				 "max_worker_processes too small? The server's log says why", beat->silent_ms / 1000);
	return true;
}

/* Is everything there that a watcher needs?  Else "why" says what is missing. */
bool
ready_check(const struct bridge *bridge, const char **why)
{
	static char said[512];

	*why = "stopping";
	if (bridge->is_stopping)
		return false;
	*why = listen_problem(bridge->listen);
	if (!listen_is_live(bridge->listen))
		return false;
	*why = query_problem(bridge->query);
	if (!query_is_up(bridge->query))
		return false;
	*why = said;
	if (lacks_rights(bridge, said, sizeof(said)) || misses_worker(bridge, said, sizeof(said)))
		return false;
	*why = "the keys have not been read yet; if that lasts, the log says why";
	return keys_are_read(bridge->keys) || bridge->config->auth == CONFIG_AUTH_NONE;
}

/* What is missing without being missed by everybody; empty: nothing. */
const char *
ready_note(const struct bridge *bridge)
{
	static char said[400];
	const char *missing = survey_missing_rights(bridge->survey);

	if (missing[0] == '\0')
		return "";
	snprintf(said, sizeof(said), "the database lets the bridge not EXECUTE %s; README has the GRANT", missing);
	return said;
}
