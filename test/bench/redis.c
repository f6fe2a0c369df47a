/*
 * redis.c
 *		What a counter in Redis does, that tells who listens.
 *
 *		redis SOCKET CLIENTS THREADS SECONDS SESSIONS blind|count
 *
 * As pgbench does it: each client has one request under way, each thread waits
 * for its clients' answers with epoll.  With "blind" a request is MULTI, HINCRBY,
 * PUBLISH, EXEC in one write: listeners learn that something was counted.  With
 * "count" it is MULTI, HINCRBY, EXEC, and once that has answered, PUBLISH of the
 * new count.  One more connection subscribes to all of it, as a bridge would.
 * Prints the number of increments and increments a second, and fails unless the
 * hashes have grown by as much.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

struct client
{
	struct redisContext *redis;
	int			session;
	int			missing;		/* replies to what is under way */
	long long	count;			/* that is to be published; 0: none */
};

struct worker
{
	pthread_t	thread;
	struct client *clients;
	int			nclients;
	unsigned int seed;
	int64_t		requests;
};

static const char *path;
static int	sessions;
static bool blind;
static double deadline;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void
die(const char *what, const struct redisContext *redis)
{
	fprintf(stderr, "redis: %s: %s\n", what, redis != NULL && redis->err ? redis->errstr : "failed");
	exit(1);
}

static struct redisContext *
open_redis(void)
{
	struct redisContext *redis = redisConnectUnix(path);

	if (redis == NULL || redis->err)
		die("connect", redis);
	return redis;
}

static void
flush(struct client *client, int replies)
{
	int			done = 0;

	while (!done)
	{
		if (redisBufferWrite(client->redis, &done) != REDIS_OK)
			die("write", client->redis);
	}
	client->missing = replies;
}

static void
send_request(struct client *client, unsigned int *seed)
{
	client->session = (int) (rand_r(seed) % (unsigned int) sessions);
	client->count = 0;
	redisAppendCommand(client->redis, "MULTI");
	redisAppendCommand(client->redis, "HINCRBY sync:%d:progress processed 1", client->session);
	if (blind)
		redisAppendCommand(client->redis, "PUBLISH sync:%d 1", client->session);
	redisAppendCommand(client->redis, "EXEC");
	flush(client, blind ? 4 : 3);
}

/* Takes what has come; returns whether that completes the request. */
static bool
take_replies(struct client *client)
{
	if (redisBufferRead(client->redis) != REDIS_OK)
		die("read", client->redis);
	for (;;)
	{
		void	   *next;
		struct redisReply *reply;

		if (redisGetReplyFromReader(client->redis, &next) != REDIS_OK)
			die("reply", client->redis);
		reply = next;
		if (reply == NULL)
			break;
		if (reply->type == REDIS_REPLY_ERROR)
			die("request", NULL);
		if (reply->type == REDIS_REPLY_ARRAY && !blind)
			client->count = reply->element[0]->integer;
		freeReplyObject(reply);
		client->missing--;
	}
	if (client->missing == 0 && client->count != 0)
	{
		redisAppendCommand(client->redis, "PUBLISH sync:%d %lld", client->session, client->count);
		client->count = 0;
		flush(client, 1);
	}
	return client->missing == 0;
}

static void *
work(void *argument)
{
	struct worker *worker = argument;
	struct epoll_event events[64];
	int			poll = epoll_create1(0);
	int			open = worker->nclients;

	for (int i = 0; i < worker->nclients; i++)
	{
		struct epoll_event event = {.events = EPOLLIN,.data.ptr = &worker->clients[i]};

		epoll_ctl(poll, EPOLL_CTL_ADD, worker->clients[i].redis->fd, &event);
		send_request(&worker->clients[i], &worker->seed);
	}
	while (open > 0)
	{
		int			ready = epoll_wait(poll, events, 64, 1000);

		for (int i = 0; i < ready; i++)
		{
			struct client *client = events[i].data.ptr;

			if (!take_replies(client))
				continue;
			worker->requests++;
			if (now() < deadline)
				send_request(client, &worker->seed);
			else
				open--;
		}
	}
	return NULL;
}

/* Reads messages until the process ends. */
static void *
listen_to_all(void *argument)
{
	struct redisContext *redis = argument;
	void	   *reply;

	while (redisGetReply(redis, &reply) == REDIS_OK)
		freeReplyObject(reply);
	return NULL;
}

/* What the hashes have in all. */
static int64_t
counted(struct redisContext *redis)
{
	int64_t		sum = 0;

	for (int i = 0; i < sessions; i++)
	{
		struct redisReply *reply = redisCommand(redis, "HGET sync:%d:progress processed", i);

		if (reply == NULL)
			die("HGET", redis);
		if (reply->type == REDIS_REPLY_STRING)
			sum += strtoll(reply->str, NULL, 10);
		freeReplyObject(reply);
	}
	return sum;
}

int
main(int argc, char **argv)
{
	int			nclients,
				nthreads;
	double		start;
	int64_t		before,
				requests = 0;
	struct worker *workers;
	struct redisContext *redis,
			   *subscriber;
	pthread_t	listener;

	if (argc != 7)
	{
		fprintf(stderr, "usage: redis SOCKET CLIENTS THREADS SECONDS SESSIONS blind|count\n");
		return 2;
	}
	path = argv[1];
	nclients = atoi(argv[2]);
	nthreads = atoi(argv[3]);
	sessions = atoi(argv[5]);
	blind = strcmp(argv[6], "blind") == 0;
	redis = open_redis();
	before = counted(redis);
	subscriber = open_redis();
	freeReplyObject(redisCommand(subscriber, "PSUBSCRIBE *"));
	pthread_create(&listener, NULL, listen_to_all, subscriber);

	workers = calloc((size_t) nthreads, sizeof(struct worker));
	for (int t = 0; t < nthreads; t++)
	{
		workers[t].nclients = nclients / nthreads + (t < nclients % nthreads);
		workers[t].clients = calloc((size_t) workers[t].nclients, sizeof(struct client));
		workers[t].seed = (unsigned int) t + 1;
		for (int i = 0; i < workers[t].nclients; i++)
			workers[t].clients[i].redis = open_redis();
	}
	start = now();
	deadline = start + atof(argv[4]);
	for (int t = 0; t < nthreads; t++)
		pthread_create(&workers[t].thread, NULL, work, &workers[t]);
	for (int t = 0; t < nthreads; t++)
	{
		pthread_join(workers[t].thread, NULL);
		requests += workers[t].requests;
	}
	printf("%lld %.1f\n", (long long) requests, (double) requests / (now() - start));
	if (counted(redis) - before != requests)
	{
		fprintf(stderr, "redis: counted %lld of %lld\n", (long long) (counted(redis) - before), (long long) requests);
		return 1;
	}
	return 0;
}
