/*
 * file.c
 *		A file that can be read at once, and to its end.
 *
 * Settings and certificates are read again while clients are served.  Whoever
 * opens a pipe waits until somebody writes into it, and a device may never end:
 * everybody would wait with them.  So only a regular file will do, and none that
 * is larger than anything sound; at the start as well, or what was started could
 * not be reloaded.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX	(1024 * 1024)

static const char *
find_problem(int fd)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return strerror(errno);
	if (S_ISDIR(info.st_mode))
		return strerror(EISDIR);
	if (!S_ISREG(info.st_mode))
		return "it must be a regular file, for it is read again with each SIGHUP";
	if (info.st_size > FILE_BYTES_MAX)
		return "it is larger than 1 MiB";
	return NULL;
}

/* Open it for reading.  Returns what is wrong, or NULL: "file" is the caller's. */
const char *
file_open(const char *path, FILE **file)
{
	int			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *problem = fd < 0 ? strerror(errno) : find_problem(fd);

	*file = problem ? NULL : fdopen(fd, "r");
	if (*file)
		return NULL;
	if (problem == NULL)
		problem = strerror(errno);
	if (fd >= 0)
		close(fd);
	return problem;
}

/* What is wrong with it, for somebody who opens it by its name; or NULL. */
const char *
file_problem(const char *path)
{
	FILE	   *file;
	const char *problem = file_open(path, &file);

	if (file)
		fclose(file);
	return problem;
}
