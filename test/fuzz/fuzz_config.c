/*
 * fuzz_config.c
 *		Whatever stands in the file, the environment or on the command line:
 *		a configuration, or an error that says what is wrong.
 *
 * The first byte says where the rest stands; outside of the file each line is
 * an argument, or a variable.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "admission.h"
#include "config.h"
#include "conninfo.h"
#include "fuzz.h"
#include "http.h"
#include "origin.h"
#include "route.h"
#include "shared.h"
#include "sockets.h"

#define WORDS_MAX	64
#define SHARED_MAX	32

static int	file;
static char program[] = "bridge";
static char file_flag[] = "--config";
static char file_name[64];

/*
 * What workers would share is never given back, by a bridge that reads its
 * settings once.  Here that is once an input, and a process may have 65,530
 * mappings.
 */
static struct
{
	void	   *memory;
	size_t		size;
}			shared[SHARED_MAX];
static int	nshared;

void	   *__real_shared_alloc(size_t size);
void	   *__wrap_shared_alloc(size_t size);

void *
__wrap_shared_alloc(size_t size)
{
	void	   *memory = __real_shared_alloc(size);

	must_hold(nshared < SHARED_MAX);
	shared[nshared].memory = memory;
	shared[nshared++].size = size;
	return memory;
}

static void
give_back_shared(void)
{
	while (nshared > 0)
	{
		nshared--;
		must_hold(munmap(shared[nshared].memory, shared[nshared].size) == 0);
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	log_set_level(LOG_LEVEL_ERROR);
	file = memfd_create("config", 0);
	must_hold(file >= 0);
	snprintf(file_name, sizeof(file_name), "/proc/self/fd/%d", file);
	return 0;
}

/* What is found wrong before the start is all that is found wrong at it. */
static void
check_routes(const struct config *config)
{
	char		error[1024] = "";
	struct routes *routes = http_routes_create(config, error, sizeof(error));

	must_hold((routes == NULL) == (http_check(config) != NULL));
	must_hold(routes || error[0]);
	if (routes)
		routes_free(routes);
}

static void
check(const struct config *config)
{
	struct conninfo info;
	char		error[1024] = "";

	must_hold(config->db && config->cookie && config->www && config->listen.count >= 0);
	must_hold(config->max_connections > 0 && config->max_subscriptions > 0);
	(void) sockets_check(config, false);
	if (origins_check(&config->allowed_origin) == NULL && config->allowed_origin.count == 0)
		must_hold(!origin_is_allowed(&config->allowed_origin, "http://localhost", "example.com", false, false));
	if (admission_check(config) == NULL)
		admission_free(admission_create(config));
	give_back_shared();
	check_routes(config);
	if (!conninfo_parse(&info, config->db, error, sizeof(error)))
		must_hold(error[0]);
	else
		conninfo_free(&info);
}

/* Another file than ours must not be read: it may be a terminal. */
static bool
names_a_file(const char *word)
{
	return strstr(word, "config") || strstr(word, "CONFIG") || strcmp(word, "-c") == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	int			where = fuzz_byte(&input) % 3;
	char	   *text = fuzz_text(input.next, input.left);
	char	   *args[WORDS_MAX + 2] = {program};
	char	   *environment[WORDS_MAX + 1] = {NULL};
	char	  **words = where == 2 ? environment : args + 1;
	struct config config = {0};
	char		error[256] = "";
	int			count = 0;
	enum config_action action;

	if (where == 0)
	{
		must_hold(ftruncate(file, 0) == 0 && pwrite(file, input.next, input.left, 0) == (ssize_t) input.left);
		args[1] = file_flag;
		args[2] = file_name;
		count = 2;
	}
	else
	{
		for (char *save, *word = strtok_r(text, "\n", &save); word && count < WORDS_MAX;
			 word = strtok_r(NULL, "\n", &save))
			if (!names_a_file(word))
				words[count++] = word;
	}
	action = config_load(&config, where == 2 ? 1 : count + 1, args, environment, error, sizeof(error));
	if (action == CONFIG_BAD)
		must_hold(error[0] && strlen(error) < sizeof(error));
	else if (action == CONFIG_RUN || action == CONFIG_CHECK)
		check(&config);
	config_free(&config);
	free(text);
	return 0;
}
