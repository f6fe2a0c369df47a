/*
 * beat.c
 *		Does the extension's worker beat?
 *
 * It sends a heartbeat in a known interval while anybody listens, so its silence
 * says that it hangs, was stopped, or could not be started: watchers would see
 * what was true when they came, and nothing of what follows.
 *
 * What counts is the time in which it could have been heard.  While there was no
 * connection its silence was not its fault; and that a new connection finds a
 * process with its number is no sign of life, so the silence goes on then.
 * Another process begins anew.
 *
 * It may be late by one beat and a half.
 *
 * Pure: no clock.
 */
#include "beat.h"

#define BEAT_MISSED_MS	2500	/* at the least, however often it beats */

/* attach() says that this worker runs, or none (0). */
void
beat_attached(struct beat *beat, int pid, int interval_ms)
{
	beat->pid = pid;
	beat->interval_ms = interval_ms;
	if (pid == 0 || pid == beat->known_pid)
		return;
	beat->known_pid = pid;
	beat->silent_ms = 0;
}

/* It has said something. */
void
beat_heard(struct beat *beat, int64_t wall_s)
{
	beat->heard_at_s = wall_s;
	beat->silent_ms = 0;
}

/* Called often, with whether it can be heard now. */
void
beat_tick(struct beat *beat, bool is_live, int64_t now_ms)
{
	if (is_live && beat->ticked_ms != 0)
		beat->silent_ms += now_ms - beat->ticked_ms;
	beat->ticked_ms = is_live ? now_ms : 0;
}

/* Has it been silent for too long? */
bool
beat_is_missed(const struct beat *beat)
{
	int64_t		beats_ms = beat->interval_ms * INT64_C(5) / 2;

	return beat->silent_ms > (beats_ms > BEAT_MISSED_MS ? beats_ms : BEAT_MISSED_MS);
}
