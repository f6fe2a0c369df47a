/*
 * doctor_report.c
 *		What a doctor found, a line each.
 *
 * A check is a line: how it ended, its name, what was seen.  Below one that did
 * not end well stands what to do about it.  Lines come as they are found, on
 * stdout; what libraries and the database say in them may be of any length,
 * and is neither cut nor wrapped, so that it can be searched for and copied.
 */
#include "doctor_report.h"

#include <stdarg.h>
#include <stdio.h>

#define REPORT_NAME_WIDTH	24

static const char *const words[] = {"ok", "warn", "FAIL", "-"};

/* "what_to_do" may be NULL. */
void
report_line(struct report *report, enum finding finding, const char *check,
			const char *what_to_do, const char *fmt,...)
{
	va_list		args;

	report->checks += finding != FINDING_NOT_TRIED;
	report->failed += finding == FINDING_FAIL;
	report->warned += finding == FINDING_WARN;
	printf("%-5s %-*s ", words[finding], REPORT_NAME_WIDTH, check);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	if (what_to_do && what_to_do[0] && finding != FINDING_OK)
		printf("%-5s %-*s -> %s\n", "", REPORT_NAME_WIDTH, "", what_to_do);
	fflush(stdout);
}

void
report_end(const struct report *report)
{
	printf("\n%d checks: ", report->checks);
	if (report->failed == 0 && report->warned == 0)
		puts("all is well");
	else
		printf("%d failed, %d warned\n", report->failed, report->warned);
}
