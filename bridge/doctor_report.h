/*
 * doctor_report.h
 *		What a doctor found, a line each.
 */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include "mem.h"

enum finding
{
	FINDING_OK,
	FINDING_WARN,				/* works, but not as well as it could */
	FINDING_FAIL,
	FINDING_NOT_TRIED			/* what comes before it has failed */
};

struct report
{
	int			checks;
	int			failed;
	int			warned;
};

void		report_line(struct report *report, enum finding finding, const char *check,
						const char *what_to_do, const char *fmt,...) printf_like(5, 6);
void		report_end(const struct report *report);

#endif							/* DOCTOR_REPORT_H */
