/*
 * page.c
 *		The dashboard's files, within the program.
 *
 * It has to be there when there is no directory of files to serve, and of the
 * program's own version; so the assembler puts the files of dashboard/ in.  The
 * first who asks for one has it copied and compressed, once.
 */
#include "page.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gzip.h"

/* Begins at page_NAME and ends at page_NAME_end. */
#define PAGE_FILE(name, path) \
	extern const char page_##name[]; \
	extern const char page_##name##_end[]; \
	__asm__(".section .rodata, \"a\", @progbits\n" \
			".global page_" #name ", page_" #name "_end\n" \
			"page_" #name ": .incbin \"" path "\"\n" \
			"page_" #name "_end: .byte 0\n" \
			".previous\n")

PAGE_FILE(html, "dashboard/dashboard.html");
PAGE_FILE(css, "dashboard/dashboard.css");
PAGE_FILE(main, "dashboard/dashboard.js");
PAGE_FILE(charts, "dashboard/charts.js");
PAGE_FILE(icon, "dashboard/icon.svg");

static const struct
{
	const char *path;
	const char *type;
	const char *bytes;
	const char *end;
}			sources[] = {
	{"/dashboard", "text/html; charset=utf-8", page_html, page_html_end},
	{"/dashboard/dashboard.css", "text/css; charset=utf-8", page_css, page_css_end},
	{"/dashboard/dashboard.js", "text/javascript; charset=utf-8", page_main, page_main_end},
	{"/dashboard/charts.js", "text/javascript; charset=utf-8", page_charts, page_charts_end},
	{"/dashboard/icon.svg", "image/svg+xml", page_icon, page_icon_end},
};

#define PAGE_FILES	(sizeof(sources) / sizeof(sources[0]))

/* FNV-1a: only to tell one version of a file from another. */
static uint64_t
hash_of(const char *bytes, size_t len)
{
	uint64_t	hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

const struct page_file *
page_get(const char *path)
{
	static struct page_file files[PAGE_FILES];
	static char etags[PAGE_FILES][24];

	for (size_t i = 0; i < PAGE_FILES; i++)
	{
		size_t		len = (size_t) (sources[i].end - sources[i].bytes);

		if (strcmp(path, sources[i].path) != 0)
			continue;
		if (files[i].body == NULL)
		{
			snprintf(etags[i], sizeof(etags[i]), "\"%016llx\"",
					 (unsigned long long) hash_of(sources[i].bytes, len));
			files[i].path = sources[i].path;
			files[i].type = sources[i].type;
			files[i].etag = etags[i];
			files[i].body = msg_create(sources[i].bytes, len);
			files[i].packed = gzip_pack(sources[i].bytes, len);
		}
		return &files[i];
	}
	return NULL;
}
