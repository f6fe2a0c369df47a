/*
 * proc.c
 *		CPU time and memory of a process.
 *
 * From what the scheduler keeps of each thread, in nanoseconds; the times in
 * /proc/PID/stat are in hundredths of a second, which is coarse for a run of a
 * few.  Where the kernel keeps no such statistics those are taken.
 */
#include "proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double
stat_cpu_s(int pid)
{
	char		path[64];
	char		line[1024];
	unsigned long user = 0;
	unsigned long sys = 0;
	FILE	   *file;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (at)
		(void) sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
	fclose(file);
	return (double) (user + sys) / (double) sysconf(_SC_CLK_TCK);
}

/* Used until now by all of its threads; 0 if there is no such process. */
double
proc_cpu_s(int pid)
{
	char		path[300];
	unsigned long long total_ns = 0;
	DIR		   *dir;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
	{
		unsigned long long ns = 0;
		FILE	   *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.200s/schedstat", pid, entry->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fscanf(file, "%llu", &ns) == 1)
			total_ns += ns;
		fclose(file);
	}
	closedir(dir);
	return total_ns ? (double) total_ns / 1e9 : stat_cpu_s(pid);
}

/* What of its memory is in RAM now. */
long
proc_rss_kb(int pid)
{
	char		path[64];
	char		line[256];
	long		kb = 0;
	FILE	   *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	fclose(file);
	return kb;
}
