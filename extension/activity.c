/*
 * activity.c
 *		What the worker does, as pg_stat_activity says it.
 *
 * A turn with one session has to cost next to nothing, so a text is made only
 * when its numbers are others than last time, and it is not said again that the
 * worker waits.  The server copies it into the worker's own place in shared
 * memory, without a lock.
 */
#include "postgres.h"

#include "activity.h"
#include "pgstat.h"

#define TEXT_LENGTH	64

typedef struct Text
{
	int			a;
	int			b;
	char text[	TEXT_LENGTH];
} Text;

static bool waiting = false;

static void
report(Text *text, const char *format, int a, int b)
{
	if (text->text[0] == '\0' || text->a != a || text->b != b)
	{
		text	  ->a = a;
		text	  ->b = b;

		snprintf(text->text, TEXT_LENGTH, format, a, b);
	}
	waiting = false;
	pgstat_report_activity(STATE_RUNNING, text->text);
}

void
sp_activity_folding(int sessions, int rows)
{
	static Text text;

	report(&text, "folding sessions: %d, ledger rows: %d", sessions, rows);
}

void
sp_activity_sending(int messages)
{
	static Text text;

	report(&text, "sending notifications: %d", messages, 0);
}

void
sp_activity_waiting(void)
{
	if (!waiting)
		pgstat_report_activity(STATE_IDLE, "waiting for increments");
	waiting = true;
}
