/* Flags win over the environment, that over the file, that over the default. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

static char error[1024];
static struct config config;
static char path[] = "/tmp/sync-progress-config-XXXXXX";

static enum config_action
load(char **argv, char **envp)
{
	int			argc = 0;

	while (argv[argc])
		argc++;
	config_free(&config);
	return config_load(&config, argc, argv, envp, error, sizeof(error));
}

#define ARGS(...)	((char *[]) {"bridge", __VA_ARGS__, NULL})
#define NO_ARGS		((char *[]) {"bridge", NULL})
#define ENV(...)	((char *[]) {__VA_ARGS__, NULL})
#define NO_ENV		((char *[]) {NULL})

static void
write_file(const char *path_line)
{
	FILE	   *file = fopen(path, "w");

	fputs(path_line, file);
	fclose(file);
}

int
main(void)
{
	char		path_line[1024];

	close(mkstemp(path));
	ok(load(NO_ARGS, NO_ENV) == CONFIG_RUN, "no settings are needed");
	ok(config.listen.count == 1 && strcmp(config.listen.items[0], "127.0.0.1:8080") == 0, "the default address");
	is_int(config.auth, CONFIG_AUTH_JWT, "tokens are demanded by default");
	is_int(config.max_connections, 10000, "the default bound");
	ok(config.allowed_origin.count == 0, "an empty list by default");

	write_file("# comment\nlisten = 127.0.0.1:1\nlisten = 127.0.0.1:2\nmax-connections = 5\n"
			   "cookie = from_file\ndb = host=a\n   dbname=b\n");
	ok(load(ARGS("--config", path), NO_ENV) == CONFIG_RUN, "a file");
	ok(config.listen.count == 2 && strcmp(config.listen.items[1], "127.0.0.1:2") == 0, "a list replaces the default");
	is(config.db, "host=a dbname=b", "a long value goes on in indented lines");
	ok(load(ARGS("--config", path), ENV("SYNC_PROGRESS_LISTEN=127.0.0.1:3,127.0.0.1:4", "SYNC_PROGRESS_COOKIE=from_env", "OTHER=x")) == CONFIG_RUN, "and variables");
	ok(config.listen.count == 2 && strcmp(config.listen.items[0], "127.0.0.1:3") == 0, "win over it, lists by commas");
	is(config.cookie, "from_env", "texts too");
	is_int(config.max_connections, 5, "what they leave open is the file's");
	ok(load(ARGS("--cookie", "from_flag", "--listen", "127.0.0.1:5", "--config", path), ENV("SYNC_PROGRESS_COOKIE=from_env")) == CONFIG_RUN, "and flags");
	is(config.cookie, "from_flag", "win over both");
	ok(config.listen.count == 1 && strcmp(config.listen.items[0], "127.0.0.1:5") == 0, "with their lists");

	ok(load(ARGS("--check-config"), NO_ENV) == CONFIG_CHECK, "--check-config");
	ok(load(ARGS("--version"), NO_ENV) == CONFIG_VERSION, "--version");
	ok(load(ARGS("--help"), NO_ENV) == CONFIG_HELP, "--help");

	ok(load(ARGS("--nonsense"), NO_ENV) == CONFIG_BAD, "an unknown flag");
	is(error, "unknown flag --nonsense (--help lists them)", "is named");
	ok(load(ARGS("--cookie"), NO_ENV) == CONFIG_BAD, "a flag without its value");
	ok(load(ARGS("argument"), NO_ENV) == CONFIG_BAD, "an argument");
	ok(load(ARGS("--auth", "maybe"), NO_ENV) == CONFIG_BAD, "a word that is none of them");
	is(error, "bad value for auth: \"maybe\" is none of: jwt none", "is named with what would do");
	ok(load(ARGS("--auth", "jw"), NO_ENV) == CONFIG_BAD, "the beginning of a word");
	ok(load(NO_ARGS, ENV("SYNC_PROGRESS_MAX_CONNECTIONS=12x")) == CONFIG_BAD, "a number that is none");
	ok(load(NO_ARGS, ENV("SYNC_PROGRESS_MAX_CONNECTIONS=0")) == CONFIG_BAD, "a number out of bounds");
	is(error, "bad value for max_connections: \"0\" is not a number from 1 to 1000000", "is named with its bounds");
	ok(load(ARGS("--config", "/nonexistent/file"), NO_ENV) == CONFIG_BAD, "a file that is not there");
	write_file("cookie = a\nnonsense = b\n");
	ok(load(ARGS("--config", path), NO_ENV) == CONFIG_BAD, "an unknown key");
	snprintf(path_line, sizeof(path_line), "%s:2: unknown setting \"nonsense\"", path);
	is(error, path_line, "is named with its line");
	memset(path_line, 'x', 400);
	memcpy(path_line, "db = ", 5);
	path_line[400] = '\0';

	write_file(path_line);
	ok(load(ARGS("--config", path), NO_ENV) == CONFIG_BAD && strstr(error, "longer than"), "a line that would be cut");
	unlink(path);
	config_free(&config);
	return tap_done();
}
