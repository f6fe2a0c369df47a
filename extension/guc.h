/*
 * guc.h
 *		The extension's settings.
 */
#ifndef SP_GUC_H
#define SP_GUC_H

#include "postgres.h"

typedef enum SpNotify
{
	SP_NOTIFY_DATA,
	SP_NOTIFY_HINT,
} SpNotify;

typedef enum SpMode
{
	SP_MODE_TRANSACTIONAL,
	SP_MODE_LIVE,
} SpMode;

extern int	sp_max_sessions;
extern int	sp_max_live_counters;
extern int	sp_mode;
extern int	sp_flush_interval_ms;
extern char *sp_channel;
extern int	sp_notify;
extern int	sp_heartbeat_interval_ms;
extern int	sp_payload_timeout_ms;

extern void sp_guc_define(void);

#endif							/* SP_GUC_H */
