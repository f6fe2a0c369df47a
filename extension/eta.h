/*
 * eta.h
 *		How long a session will take.
 *
 * Times are microseconds on one clock; rates are items a second.
 */
#ifndef SP_ETA_H
#define SP_ETA_H

#include "tempo.h"

#define SP_ETA_BUCKET_US	INT64_C(30000000)	/* 30 s */
#define SP_ETA_BUCKETS		11	/* five minutes, and the current one */
#define SP_ETA_MARKS		5	/* 10, 25, 50, 75 and 90 % of the work */

/* An estimate that is kept until it is known how good it was; seconds since the start. */
typedef struct SpEtaMark
{
	float		made;
	float		end;			/* that it promised; 0: none was made */
} SpEtaMark;

/* Stored with the session. */
typedef struct SpPace
{
	int64_t		bucket;			/* number of the newest: time / 30 s */
	int64_t		moved_at;		/* when something was processed last; 0: never */
	SpTempo		tempo;
	float		counts[SP_ETA_BUCKETS]; /* how much in which half minute; [0]
										 * is the newest */
	SpEtaMark	marks[SP_ETA_MARKS];
	uint32_t	scored;			/* its marks were counted */
} SpPace;

/* A part of a session, whose total is known. */
typedef struct SpEtaPart
{
	SpTempo		tempo;
	int64_t		left;			/* items that it has not processed */
	bool		open;			/* and is going to */
} SpEtaPart;

/* What is to be done. */
typedef struct SpEtaWork
{
	int64_t		processed;
	int64_t		total;			/* negative: not known */
	int64_t		started_us;		/* 0: not yet */
	int64_t		stall_after_us; /* 0: never */
	bool		ahead;			/* processed has more than was added to the
								 * pace */
	const SpEtaPart *parts;
	int			nparts;
} SpEtaWork;

typedef enum SpEtaState
{
	SP_ETA_NONE,				/* there is nothing to estimate from or for */
	SP_ETA_ESTIMATING,			/* too early */
	SP_ETA_STEADY,
	SP_ETA_STALLED,				/* nothing has moved for stall_after */
} SpEtaState;

/* Seconds are meant only while the state is steady. */
typedef struct SpEta
{
	SpEtaState	state;
	double		rate;
	int64_t		seconds;
	int64_t		low;			/* four of five times it takes so long at
								 * least */
	int64_t		high;			/* and so long at most */
} SpEta;

/* How good the estimates of a completed session were. */
typedef struct SpEtaScore
{
	int			marks;
	int			within_25;		/* percent of the truth */
	double		error;			/* sum of |estimate - truth| / truth */
	double		bias;			/* sum of ln(estimate / truth) */
} SpEtaScore;

extern void sp_eta_add(SpPace *pace, int64_t started_us, int64_t now_us, int64_t processed);
extern double sp_eta_recent_rate(const SpPace *pace, int64_t started_us, int64_t now_us);
extern int64_t sp_eta_time_remaining(const SpPace *pace, int64_t processed, int64_t total,
									 int64_t started_us, int64_t now_us);
extern void sp_eta_estimate(const SpPace *pace, const SpEtaWork *work, int64_t now_us, SpEta *eta);
extern int64_t sp_eta_part_seconds(const SpEtaPart *part, int64_t stall_after_us, int64_t now_us);
extern int	sp_eta_mark_due(const SpPace *pace, int64_t before, int64_t processed, int64_t total);
extern void sp_eta_mark(SpPace *pace, int mark, int64_t seconds, int64_t started_us, int64_t now_us);
extern SpEtaScore sp_eta_score(SpPace *pace, int64_t started_us, int64_t ended_us);

#endif							/* SP_ETA_H */
