/*
 * sync_progress.c
 *		Live progress of long-running jobs.
 *
 * A newcomer reads in this order: net.c and throttle.c (the rules, pure),
 * ledger.c (how an increment travels), shared.c and slot.c (marks), funcs.c
 * and trigger.c (writers), mark.c (commit), worker.c, turn.c, fold.c and
 * tell.c (the worker), payload.c (the wire), launcher.c.
 */
#include "postgres.h"

#include "compat.h"
#include "evict.h"
#include "fmgr.h"
#include "guc.h"
#include "launcher.h"
#include "mark.h"
#include "miscadmin.h"
#include "rename.h"
#include "shared.h"
#include "storage/ipc.h"

SP_MODULE_MAGIC;

void		_PG_init(void);

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void
request(void)
{
	if (previous_request)
		previous_request();
	sp_shared_request();
}

static void
startup(void)
{
	if (previous_startup)
		previous_startup();
	sp_shared_attach();
}

/*
 * Loaded later than at the server's start there is no shared memory: the
 * functions say so, and all that CREATE EXTENSION and pg_dump need works.
 * pg_upgrade's servers get no workers: they must not write.
 */
void
_PG_init(void)
{
	sp_guc_define();
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
	sp_mark_init();
	sp_evict_init();
	sp_rename_init();
	if (!IsBinaryUpgrade)
		sp_launcher_register();
}
