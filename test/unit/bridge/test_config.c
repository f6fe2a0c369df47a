/*
 * test_config.c
 *		Flags win over the environment, that over the file, that over the default.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "unit.h"

static char error[1024];
static struct config config;
static char path[64];

static int
begin(void **state)
{
	strcpy(path, "/tmp/sync-progress-config-XXXXXX");
	return close(mkstemp(path));
}

static int
end(void **state)
{
	unlink(path);
	config_free(&config);
	return 0;
}

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
write_file(const char *text)
{
	FILE	   *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
write_settings(void)
{
	write_file("# comment\nlisten = 127.0.0.1:1\nlisten = 127.0.0.1:2\nmax-connections = 5\n"
			   "cookie = from_file\ndb = host=a\n   dbname=b\n");
}

static void
no_settings_are_needed(void **state)
{
	assert_int_equal(load(NO_ARGS, NO_ENV), CONFIG_RUN);
	assert_int_equal(config.listen.count, 1);
	assert_string_equal(config.listen.items[0], "127.0.0.1:8080");
	assert_int_equal(config.max_connections, 10000);
	assert_int_equal(config.allowed_origin.count, 0);
}

static void
tokens_are_demanded_by_default(void **state)
{
	assert_int_equal(load(NO_ARGS, NO_ENV), CONFIG_RUN);
	assert_int_equal(config.auth, CONFIG_AUTH_JWT);
	assert_int_equal(load(ARGS("--auth", "none"), NO_ENV), CONFIG_RUN);
	assert_int_equal(config.auth, CONFIG_AUTH_NONE);
}

static void
a_file_wins_over_the_default(void **state)
{
	write_settings();
	assert_int_equal(load(ARGS("--config", path), NO_ENV), CONFIG_RUN);
	assert_int_equal(config.listen.count, 2);
	assert_string_equal(config.listen.items[0], "127.0.0.1:1");
	assert_string_equal(config.listen.items[1], "127.0.0.1:2");
	assert_string_equal(config.cookie, "from_file");
	assert_int_equal(config.max_connections, 5);
}

static void
a_long_value_goes_on_in_indented_lines(void **state)
{
	write_settings();
	assert_int_equal(load(ARGS("--config", path), NO_ENV), CONFIG_RUN);
	assert_string_equal(config.db, "host=a dbname=b");
}

static void
variables_win_over_the_file(void **state)
{
	write_settings();
	assert_int_equal(load(ARGS("--config", path), ENV("SYNC_PROGRESS_LISTEN=127.0.0.1:3,127.0.0.1:4", "SYNC_PROGRESS_COOKIE=from_env", "OTHER=x")),
					 CONFIG_RUN);
	assert_int_equal(config.listen.count, 2);
	assert_string_equal(config.listen.items[0], "127.0.0.1:3");
	assert_string_equal(config.listen.items[1], "127.0.0.1:4");
	assert_string_equal(config.cookie, "from_env");
}

static void
what_variables_leave_open_is_the_files(void **state)
{
	write_settings();
	assert_int_equal(load(ARGS("--config", path), ENV("SYNC_PROGRESS_COOKIE=from_env")), CONFIG_RUN);
	assert_int_equal(config.max_connections, 5);
}

static void
flags_win_over_both(void **state)
{
	write_settings();
	assert_int_equal(load(ARGS("--cookie", "from_flag", "--listen", "127.0.0.1:5", "--config", path), ENV("SYNC_PROGRESS_COOKIE=from_env")),
					 CONFIG_RUN);
	assert_string_equal(config.cookie, "from_flag");
	assert_int_equal(config.listen.count, 1);
	assert_string_equal(config.listen.items[0], "127.0.0.1:5");
}

static void
a_flag_may_ask_for_something_else_than_a_run(void **state)
{
	assert_int_equal(load(ARGS("--check-config"), NO_ENV), CONFIG_CHECK);
	assert_int_equal(load(ARGS("--version"), NO_ENV), CONFIG_VERSION);
	assert_int_equal(load(ARGS("--help"), NO_ENV), CONFIG_HELP);
}

static void
an_unknown_flag_is_named(void **state)
{
	assert_int_equal(load(ARGS("--nonsense"), NO_ENV), CONFIG_BAD);
	assert_string_equal(error, "unknown flag --nonsense (--help lists them)");
}

static void
a_flag_without_its_value_is_refused(void **state)
{
	assert_int_equal(load(ARGS("--cookie"), NO_ENV), CONFIG_BAD);
}

static void
an_argument_is_refused(void **state)
{
	assert_int_equal(load(ARGS("argument"), NO_ENV), CONFIG_BAD);
}

static void
a_word_that_is_none_of_them_is_named_with_what_would_do(void **state)
{
	assert_int_equal(load(ARGS("--auth", "maybe"), NO_ENV), CONFIG_BAD);
	assert_string_equal(error, "bad value for auth: \"maybe\" is none of: jwt none");
	assert_int_equal(load(ARGS("--auth", "jw"), NO_ENV), CONFIG_BAD);
}

static void
a_number_out_of_bounds_is_named_with_them(void **state)
{
	assert_int_equal(load(NO_ARGS, ENV("SYNC_PROGRESS_MAX_CONNECTIONS=12x")), CONFIG_BAD);
	assert_int_equal(load(NO_ARGS, ENV("SYNC_PROGRESS_MAX_CONNECTIONS=0")), CONFIG_BAD);
	assert_string_equal(error, "bad value for max_connections: \"0\" is not a number from 1 to 1000000");
	assert_int_equal(load(NO_ARGS, ENV("SYNC_PROGRESS_MAX_CONNECTIONS=1000001")), CONFIG_BAD);
	assert_int_equal(load(NO_ARGS, ENV("SYNC_PROGRESS_MAX_CONNECTIONS=1000000")), CONFIG_RUN);
	assert_int_equal(config.max_connections, 1000000);
}

static void
a_file_that_is_not_there_is_refused(void **state)
{
	assert_int_equal(load(ARGS("--config", "/nonexistent/file"), NO_ENV), CONFIG_BAD);
}

static void
an_unknown_key_of_a_file_is_named_with_its_line(void **state)
{
	char		want[1024];

	write_file("cookie = a\nnonsense = b\n");
	assert_int_equal(load(ARGS("--config", path), NO_ENV), CONFIG_BAD);
	snprintf(want, sizeof(want), "%s:2: unknown setting \"nonsense\"", path);
	assert_string_equal(error, want);
}

static void
a_line_that_would_be_cut_is_refused(void **state)
{
	char		line[401];

	memset(line, 'x', sizeof(line));
	memcpy(line, "db = ", 5);
	line[400] = '\0';
	write_file(line);
	assert_int_equal(load(ARGS("--config", path), NO_ENV), CONFIG_BAD);
	assert_non_null(strstr(error, "longer than"));
}

#define config_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(no_settings_are_needed),
		config_test(tokens_are_demanded_by_default),
		config_test(a_file_wins_over_the_default),
		config_test(a_long_value_goes_on_in_indented_lines),
		config_test(variables_win_over_the_file),
		config_test(what_variables_leave_open_is_the_files),
		config_test(flags_win_over_both),
		config_test(a_flag_may_ask_for_something_else_than_a_run),
		config_test(an_unknown_flag_is_named),
		config_test(a_flag_without_its_value_is_refused),
		config_test(an_argument_is_refused),
		config_test(a_word_that_is_none_of_them_is_named_with_what_would_do),
		config_test(a_number_out_of_bounds_is_named_with_them),
		config_test(a_file_that_is_not_there_is_refused),
		config_test(an_unknown_key_of_a_file_is_named_with_its_line),
		config_test(a_line_that_would_be_cut_is_refused),
	};

	return run_units(tests);
}
