/*
 * www.c
 *		Static files.
 *
 * For a page and its modules: small files on a local disk, kept in memory and
 * looked at again (stat) with every request.  What is kept is bounded in number
 * and size; a file that is being sent is shared with what is kept.  It is
 * compressed once, when it is read.
 *
 * A path is opened relative to the directory, and no component of it may begin
 * with a dot, so there is no way up and no hidden file.
 */
#include "www.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gzip.h"
#include "log.h"

#define WWW_FILES		64
#define WWW_FILE_MAX	(4 * 1024 * 1024)
#define WWW_PACK_MAX	(512 * 1024)	/* more would hold up everybody */

struct www_entry
{
	char	   *path;			/* NULL: free */
	struct timespec changed;
	ino_t		inode;
	char		etag[64];
	struct msg *body;
	struct msg *packed;			/* compressed; NULL: not worth it */
};

struct www
{
	int			dir;
	int			next;			/* the entry to be replaced next */
	struct www_entry entries[WWW_FILES];
};

/*
 * Can this be served?  NULL, or what is wrong; nothing is kept open.
 */
const char *
www_check(const char *dir)
{
	static char problem[1024];
	const char *error;
	struct www *www;

	if (dir[0] == '\0')
		return NULL;
	www = www_open(dir, &error);
	if (www)
	{
		www_close(www);
		return NULL;
	}
	snprintf(problem, sizeof(problem), "bad value for www: \"%s\": %s", dir, error);
	return problem;
}

struct www *
www_open(const char *dir, const char **error)
{
	int			fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct www *www;

	if (fd < 0)
	{
		*error = strerror(errno);
		return NULL;
	}
	www = mem_zalloc(sizeof(*www));
	www->dir = fd;
	return www;
}

static void
entry_clear(struct www_entry *entry)
{
	free(entry->path);
	msg_drop(entry->body);
	msg_drop(entry->packed);
	memset(entry, 0, sizeof(*entry));
}

void
www_close(struct www *www)
{
	for (int i = 0; i < WWW_FILES; i++)
		entry_clear(&www->entries[i]);
	close(www->dir);
	free(www);
}

static const char *
type_of(const char *path)
{
	static const struct
	{
		const char *suffix;
		const char *type;
	}			types[] = {
		{".html", "text/html; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"},
		{".mjs", "text/javascript; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},
		{".json", "application/json"},
		{".map", "application/json"},
		{".svg", "image/svg+xml"},
		{".png", "image/png"},
		{".jpg", "image/jpeg"},
		{".ico", "image/x-icon"},
		{".woff2", "font/woff2"},
		{".txt", "text/plain; charset=utf-8"},
		{".md", "text/plain; charset=utf-8"},
		{".ts", "text/plain; charset=utf-8"},
	};
	size_t		len = strlen(path);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		size_t		suffix_len = strlen(types[i].suffix);

		if (len > suffix_len && strcmp(path + len - suffix_len, types[i].suffix) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

/* Make "/a/" a relative "a/index.html"; false: nothing to be served. */
static bool
relative_path(const char *path, char *out, size_t size)
{
	size_t		len = strlen(path);
	bool		is_dir = len > 0 && path[len - 1] == '/';

	if (path[0] != '/' || strchr(path, '\\'))
		return false;
	for (const char *at = path; at; at = strchr(at + 1, '/'))
		if (at[1] == '.' || at[1] == '/')
			return false;
	return (size_t) snprintf(out, size, "%s%s", path + 1, is_dir ? "index.html" : "") < size &&
		out[0] != '\0';
}

static struct msg *
read_whole(int fd, size_t size)
{
	char	   *bytes = mem_alloc(size + 1);
	struct msg *body = NULL;
	size_t		got = 0;

	while (got < size)
	{
		ssize_t		n = read(fd, bytes + got, size - got);

		if (n <= 0)
			break;
		got += (size_t) n;
	}
	if (got == size)
		body = msg_create(bytes, size);
	free(bytes);
	return body;
}

/* The kept entry, if the file is still the same, or a fresh one. */
static struct www_entry *
entry_for(struct www *www, const char *path, int fd, const struct stat *info)
{
	struct www_entry *entry = NULL;

	for (int i = 0; i < WWW_FILES && entry == NULL; i++)
		if (www->entries[i].path && strcmp(www->entries[i].path, path) == 0)
			entry = &www->entries[i];
	if (entry && entry->inode == info->st_ino && entry->body->len == (size_t) info->st_size &&
		entry->changed.tv_sec == info->st_mtim.tv_sec &&
		entry->changed.tv_nsec == info->st_mtim.tv_nsec)
		return entry;
	if (entry == NULL)
	{
		entry = &www->entries[www->next];
		www->next = (www->next + 1) % WWW_FILES;
	}
	entry_clear(entry);
	entry->body = read_whole(fd, (size_t) info->st_size);
	if (entry->body == NULL)
		return NULL;
	if (gzip_fits(type_of(path)) && entry->body->len <= WWW_PACK_MAX)
		entry->packed = gzip_pack(entry->body->bytes, entry->body->len);
	entry->path = mem_strdup(path);
	entry->inode = info->st_ino;
	entry->changed = info->st_mtim;
	snprintf(entry->etag, sizeof(entry->etag), "\"%llx-%lx-%llx\"",
			 (unsigned long long) info->st_mtim.tv_sec, info->st_mtim.tv_nsec,
			 (unsigned long long) info->st_size);
	return entry;
}

void
www_file_drop(struct www_file *file)
{
	msg_drop(file->body);
	msg_drop(file->packed);
	file->body = file->packed = NULL;
}

/*
 * Get the file at this path, which begins with a slash.
 */
bool
www_get(struct www *www, const char *path, struct www_file *file)
{
	static struct log_rate rate;
	char		name[1100];
	struct stat info;
	struct www_entry *entry = NULL;
	int			fd;

	if (!relative_path(path, name, sizeof(name)))
		return false;
	fd = openat(www->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
	{
		if (info.st_size > WWW_FILE_MAX)
		{
			if (log_rate_allows(&rate, "www"))
				log_warn("www", "file too large to be served path=%s", path);
		}
		else
			entry = entry_for(www, name, fd, &info);
	}
	close(fd);
	if (entry == NULL)
		return false;
	file->type = type_of(name);
	file->etag = entry->etag;
	file->body = msg_hold(entry->body);
	file->packed = entry->packed ? msg_hold(entry->packed) : NULL;
	file->is_html = strncmp(file->type, "text/html", 9) == 0;
	return true;
}
