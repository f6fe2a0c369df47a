/*
 * guc.c
 *		The extension's settings.
 */
#include "postgres.h"

#include "guc.h"
#include "miscadmin.h"
#include "utils/guc.h"

int			sp_max_sessions = 10000;
int			sp_max_live_counters = 10000;
int			sp_mode = SP_MODE_TRANSACTIONAL;
int			sp_flush_interval_ms = 1000;
char	   *sp_channel = NULL;
int			sp_notify = SP_NOTIFY_DATA;
int			sp_heartbeat_interval_ms = 10000;
int			sp_payload_timeout_ms = 2000;

static const struct config_enum_entry notify_options[] = {
	{"data", SP_NOTIFY_DATA, false},
	{"hint", SP_NOTIFY_HINT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry mode_options[] = {
	{"transactional", SP_MODE_TRANSACTIONAL, false},
	{"live", SP_MODE_LIVE, false},
	{NULL, 0, false}
};

/* A notification channel's name is 1 to 63 bytes (async.c). */
static bool
check_channel(char **newval, void **extra, GucSource source)
{
	size_t		length = strlen(*newval);

	if (length >= 1 && length < NAMEDATALEN)
		return true;
	GUC_check_errdetail("A channel's name has 1 to %d bytes.", NAMEDATALEN - 1);
	return false;
}

void
sp_guc_define(void)
{
	/* Settings of the whole server exist where the library is preloaded. */
	if (process_shared_preload_libraries_in_progress)
	{
		DefineCustomIntVariable("sync_progress.max_sessions",
								"Sessions that are tracked in shared memory at a time.",
								"Sessions beyond it are counted as exactly, but told by a slower sweep. About 250 bytes each.",
								&sp_max_sessions, 10000, 16, 1000000, PGC_POSTMASTER, 0,
								NULL, NULL, NULL);
		DefineCustomIntVariable("sync_progress.max_live_counters",
								"Counters that live mode has room for in shared memory.",
								"One for each field of a session, and of each of its accounts, that is counted live; about 200 bytes each. Beyond it calls count transactionally.",
								&sp_max_live_counters, 10000, 16, 1000000, PGC_POSTMASTER, 0,
								NULL, NULL, NULL);
		DefineCustomStringVariable("sync_progress.channel",
								   "Channel that the worker notifies.",
								   "Bridges learn it when they attach.",
								   &sp_channel, "sync_progress", PGC_POSTMASTER, 0,
								   check_channel, NULL, NULL);
	}
	DefineCustomEnumVariable("sync_progress.mode",
							 "Whether increments count when the transaction commits (transactional) or at once (live).",
							 "With live they are visible before commit and stay when it is rolled back; a crash loses at most sync_progress.flush_interval of them.",
							 &sp_mode, SP_MODE_TRANSACTIONAL, mode_options, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("sync_progress.flush_interval",
							"Time after which what was counted live is written to the table at the latest.",
							"A crash of the server loses at most that much of what was counted live.",
							&sp_flush_interval_ms, 1000, 10, 60000, PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("sync_progress.notify",
							 "Whether notifications carry the state (data) or only say that there is a new one (hint).",
							 "Any role that can connect may LISTEN; with hint it learns no more than names of streams.",
							 &sp_notify, SP_NOTIFY_DATA, notify_options, PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("sync_progress.heartbeat_interval",
							"Time between heartbeats while a bridge is attached.",
							"A bridge that hears none for a while connects anew.",
							&sp_heartbeat_interval_ms, 10000, 100, 600000, PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("sync_progress.payload_timeout",
							"Time limit of a kind's payload function in the worker, and of all users' functions together in a bridge's question.",
							"There, three quarters of it, or of statement_timeout where that is less.",
							&sp_payload_timeout_ms, 2000, 10, 60000, PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("sync_progress");
}
