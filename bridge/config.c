/*
 * config.c
 *		From flags, environment and file to settings.
 *
 * A flag wins over the environment, that over the file, that over the default.
 * Each source is read into the same place, from the weakest to the strongest; a
 * list is replaced whole by a stronger source.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "file.h"
#include "settings.h"

#define CONFIG_ENV_PREFIX	"SYNC_PROGRESS_"
#define HELP_FLAG_WIDTH		32	/* of the longest flag with its value */

struct loader
{
	struct config *config;
	bool		was_set[SETTINGS_MAX];	/* by the source being read */
	bool		is_file;		/* where a text may go on in further lines */
	int			line;			/* of the file */
	char	   *error;
	int			error_size;
};

struct file_reader
{
	struct loader *loader;
	FILE	   *file;
};

/* ---- values ---- */

static void
list_clear(struct config_list *list)
{
	for (int i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

static void
list_add(struct config_list *list, const char *text, size_t len)
{
	if (len == 0)
		return;
	list->items = mem_grow(list->items, sizeof(char *) * (size_t) (list->count + 1));
	list->items[list->count++] = mem_strndup(text, len);
}

static int
word_index(const char *words, const char *value)
{
	size_t		len = strlen(value);

	for (int i = 0;; i++)
	{
		size_t		word_len = strcspn(words, " ");

		if (len == word_len && strncmp(words, value, len) == 0)
			return i;
		if (words[word_len] == '\0')
			return -1;
		words += word_len + 1;
	}
}

static bool
set_int(struct loader *loader, const struct setting *setting, const char *value,
		int *target)
{
	char	   *end;
	long		number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' ||
		number < setting->min || number > setting->max)
	{
		snprintf(loader->error, (size_t) loader->error_size,
				 "bad value for %s: \"%s\" is not a number from %d to %d",
				 setting->key, value, setting->min, setting->max);
		return false;
	}
	*target = (int) number;
	return true;
}

static void
set_text(char **target, const char *value, bool goes_on)
{
	char	   *text;
	size_t		size = strlen(value) + (goes_on ? strlen(*target) + 1 : 0) + 1;

	text = mem_alloc(size);

	snprintf(text, size, "%s%s%s", goes_on ? *target : "", goes_on ? " " : "", value);
	free(*target);
	*target = text;
}

/*
 * Give the setting a value.  The first value of a list from one source replaces
 * what weaker sources had put there.
 */
static bool
set_value(struct loader *loader, int index, const char *value, bool by_commas)
{
	const struct setting *setting = &settings[index];
	void	   *target = (char *) loader->config + setting->offset;

	switch (setting->kind)
	{
		case KIND_TEXT:
			set_text(target, value, loader->is_file && loader->was_set[index]);
			loader->was_set[index] = true;
			break;
		case KIND_INT:
			return set_int(loader, setting, value, target);
		case KIND_WORD:
			*(int *) target = word_index(setting->words, value);
			if (*(int *) target < 0)
			{
				snprintf(loader->error, (size_t) loader->error_size,
						 "bad value for %s: \"%s\" is none of: %s", setting->key,
						 value, setting->words);
				return false;
			}
			break;
		case KIND_LIST:
			if (!loader->was_set[index])
				list_clear(target);
			loader->was_set[index] = true;
			for (const char *at = value; by_commas;)
			{
				size_t		len = strcspn(at, ",");

				list_add(target, at, len);
				if (at[len] == '\0')
					break;
				at += len + 1;
			}
			if (!by_commas)
				list_add(target, value, strlen(value));
			break;
	}
	return true;
}

static void
begin_source(struct loader *loader)
{
	memset(loader->was_set, 0, sizeof(loader->was_set));
}

/* The row of this key; "-" and "_" are the same. */
static int
find_setting(const char *key, size_t len)
{
	for (int i = 0; i < settings_count; i++)
	{
		const char *have = settings[i].key;
		size_t		at = 0;

		if (strlen(have) != len)
			continue;
		while (at < len &&
			   (have[at] == tolower((unsigned char) key[at]) ||
				(have[at] == '_' && key[at] == '-')))
			at++;
		if (at == len)
			return i;
	}
	return -1;
}

/* ---- sources ---- */

static int
read_file_line(void *arg, const char *section, const char *key, const char *value)
{
	struct loader *loader = arg;
	int			index = find_setting(key, strlen(key));

	(void) section;
	if (loader->error[0] != '\0')
		return 0;
	if (index < 0)
	{
		snprintf(loader->error, (size_t) loader->error_size,
				 "unknown setting \"%s\"", key);
		return 0;
	}
	config_place_add(loader->config, index, value, loader->line);
	return set_value(loader, index, value, false) ? 1 : 0;
}

/*
 * The library cuts longer lines in two without a word, so that is found here.
 */
static char *
read_line(char *line, int size, void *arg)
{
	struct file_reader *reader = arg;
	struct loader *loader = reader->loader;

	if (fgets(line, size, reader->file) == NULL)
		return NULL;
	loader->line++;
	if (strchr(line, '\n') == NULL && !feof(reader->file) && loader->error[0] == '\0')
		snprintf(loader->error, (size_t) loader->error_size,
				 "the line is longer than %d characters; go on in an indented line",
				 size - 2);
	return line;
}

static bool
read_file(struct loader *loader, const char *path)
{
	struct file_reader reader = {.loader = loader};
	char		why[512];
	const char *problem = file_open(path, &reader.file);
	bool		is_whole;
	int			line;

	if (problem)
	{
		snprintf(loader->error, (size_t) loader->error_size, "cannot read %s: %s", path, problem);
		return false;
	}
	begin_source(loader);
	loader->config->file = mem_strdup(path);
	loader->is_file = true;
	line = ini_parse_stream(read_line, &reader, read_file_line, loader);
	is_whole = !ferror(reader.file);
	fclose(reader.file);
	loader->is_file = false;
	if (!is_whole)
	{
		snprintf(loader->error, (size_t) loader->error_size, "cannot read all of %s", path);
		return false;
	}
	if (line == 0 && loader->error[0] == '\0')
		return true;
	snprintf(why, sizeof(why), "%s", loader->error[0] ? loader->error :
			 "not of the form key = value");
	snprintf(loader->error, (size_t) loader->error_size, "%s:%d: %s", path, line, why);
	return false;
}

static bool
read_environment(struct loader *loader, char **envp)
{
	size_t		prefix_len = strlen(CONFIG_ENV_PREFIX);

	begin_source(loader);
	for (; *envp; envp++)
	{
		const char *equals = strchr(*envp, '=');
		const char *key = *envp + prefix_len;
		int			index;

		if (equals == NULL || strncmp(*envp, CONFIG_ENV_PREFIX, prefix_len) != 0)
			continue;
		index = find_setting(key, (size_t) (equals - key));
		if (index < 0)
			log_warn("config", "unknown variable name=%.*s", (int) (equals - *envp),
					 *envp);
		else if (!set_value(loader, index, equals + 1, true))
			return false;
	}
	return true;
}

/* Flags without a value that say what to do, and the one that names the file. */
enum
{
	FLAG_CONFIG = 1000,
	FLAG_CHECK,
	FLAG_DOCTOR,
	FLAG_VERSION,
	FLAG_HELP
};

static const struct option fixed_flags[] = {
	{"config", required_argument, NULL, FLAG_CONFIG},
	{"check-config", no_argument, NULL, FLAG_CHECK},
	{"doctor", no_argument, NULL, FLAG_DOCTOR},
	{"version", no_argument, NULL, FLAG_VERSION},
	{"help", no_argument, NULL, FLAG_HELP},
};

#define FIXED_FLAGS	((int) (sizeof(fixed_flags) / sizeof(fixed_flags[0])))

static void
flag_name(char *out, const char *key)
{
	for (; *key; key++)
		*out++ = *key == '_' ? '-' : *key;
	*out = '\0';
}

/*
 * Walk through the flags.  The first walk only finds the file and what to do,
 * since the file and the environment are weaker and must be read before.
 */
static enum config_action
read_flags(struct loader *loader, int argc, char **argv, const char **file,
		   bool is_first_walk)
{
	struct option options[SETTINGS_MAX + FIXED_FLAGS + 1];
	char		names[SETTINGS_MAX][64];
	enum config_action action = CONFIG_RUN;
	int			flag;

	memset(options, 0, sizeof(options));
	for (int i = 0; i < settings_count; i++)
	{
		flag_name(names[i], settings[i].key);
		options[i] = (struct option)
		{
			names[i], required_argument, NULL, i + 1
		};
	}
	memcpy(options + settings_count, fixed_flags, sizeof(fixed_flags));

	begin_source(loader);
	optind = 1;
	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":", options, NULL)) != -1)
	{
		if (flag == ':' || flag == '?')
		{
			snprintf(loader->error, (size_t) loader->error_size,
					 flag == ':' ? "flag %s needs a value" :
					 "unknown flag %s (--help lists them)", argv[optind - 1]);
			return CONFIG_BAD;
		}
		if (flag == FLAG_CONFIG)
			*file = optarg;
		else if (flag == FLAG_CHECK || flag == FLAG_DOCTOR)
			action = flag == FLAG_CHECK ? CONFIG_CHECK : CONFIG_DOCTOR;
		else if (flag == FLAG_VERSION || flag == FLAG_HELP)
			return flag == FLAG_VERSION ? CONFIG_VERSION : CONFIG_HELP;
		else if (!is_first_walk && !set_value(loader, flag - 1, optarg, false))
			return CONFIG_BAD;
	}
	if (optind < argc)
	{
		snprintf(loader->error, (size_t) loader->error_size,
				 "unexpected argument \"%s\"", argv[optind]);
		return CONFIG_BAD;
	}
	return action;
}

/*
 * Read all settings.  "config" is to be freed whatever is returned.
 */
enum config_action
config_load(struct config *config, int argc, char **argv, char **envp,
			char *error, int error_size)
{
	struct loader loader = {.config = config, .error = error, .error_size = error_size};
	const char *file = NULL;
	enum config_action action;

	memset(config, 0, sizeof(*config));
	error[0] = '\0';
	for (int i = 0; i < settings_count; i++)
		if (!set_value(&loader, i, settings[i].preset, true))
			return CONFIG_BAD;

	action = read_flags(&loader, argc, argv, &file, true);
	if (action == CONFIG_VERSION || action == CONFIG_HELP || action == CONFIG_BAD)
		return action;
	if (file && !read_file(&loader, file))
		return CONFIG_BAD;
	if (!read_environment(&loader, envp))
		return CONFIG_BAD;
	if (read_flags(&loader, argc, argv, &file, false) == CONFIG_BAD)
		return CONFIG_BAD;
	if (config->listen.count == 0)
	{
		snprintf(error, (size_t) error_size, "no address to listen on: set listen, such as 127.0.0.1:8080");
		return CONFIG_BAD;
	}
	return action;
}

void
config_free(struct config *config)
{
	for (int i = 0; i < settings_count; i++)
	{
		void	   *target = (char *) config + settings[i].offset;

		if (settings[i].kind == KIND_TEXT)
		{
			free(*(char **) target);
			*(char **) target = NULL;
		}
		else if (settings[i].kind == KIND_LIST)
			list_clear(target);
	}
	config_places_free(config);
}

void
config_print_help(void)
{
	printf("%s relays the progress of syncs from PostgreSQL to browsers.\n\n"
		   "Usage: %s [FLAG VALUE]...\n\n", CODE_PROGRAM, CODE_PROGRAM);
	for (int i = 0; i < settings_count; i++)
	{
		char		name[64];
		char		flag[128];

		flag_name(name, settings[i].key);
		snprintf(flag, sizeof(flag), "--%s %s", name, settings[i].value_name);
		printf("  %-*s %s", HELP_FLAG_WIDTH, flag, settings[i].help);
		if (settings[i].preset[0])
			printf(" (%s)", settings[i].preset);
		putchar('\n');
	}
	printf("  %-*s %s\n", HELP_FLAG_WIDTH, "--config FILE", "read settings from FILE: key = value, one a line");
	printf("  %-*s %s\n", HELP_FLAG_WIDTH, "--check-config", "check the settings and leave");
	printf("  %-*s %s\n", HELP_FLAG_WIDTH, "--doctor", "check everything, time a canary through the bridge that runs, and leave");
	printf("  %-*s %s\n", HELP_FLAG_WIDTH, "--version", "print the version and leave");
	printf("  %-*s %s\n", HELP_FLAG_WIDTH, "--help", "print this and leave");
	printf("\nWith SIGHUP the file is read again.  What needs a restart:");
	for (int i = 0; i < settings_count; i++)
		if (settings[i].change == SETTING_FIXED)
			printf(" %s", settings[i].key);
	printf("\n\nEvery flag is also a key of the file (max_connections) and a variable\n"
		   "(SYNC_PROGRESS_MAX_CONNECTIONS; lists by commas).  Flags win over variables,\n"
		   "those over the file.\n");
}
