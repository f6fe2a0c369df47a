-- sync_progress_callback: what a worker without a database connection reports.
\ir include/helpers.psql
SELECT plan(91);

CREATE FUNCTION pg_temp.job(session bigint) RETURNS text LANGUAGE sql AS $$ SELECT job_id::text FROM sync.sync_sessions WHERE id = session $$;
CREATE FUNCTION pg_temp.claims(session bigint) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('aud', 'callback', 'job_id', pg_temp.job(session)) $$;
-- A report by the right token; the session's status that it is answered with.
CREATE FUNCTION pg_temp.reports(session bigint, report jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT sync.sync_progress_callback(pg_temp.claims(session), report || jsonb_build_object('job_id', pg_temp.job(session))) ->> 'session_status'
$$;
CREATE FUNCTION pg_temp.state(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s/%s %s', status, processed_count, coalesce(total_count::text, '-'), coalesce(message, '-')) FROM sync.sync_sessions WHERE id = session
$$;
CREATE FUNCTION pg_temp.shown(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s/%s %s %s', status, processed_count, coalesce(total_count::text, '-'), coalesce(progress_percentage::text, '-'), coalesce(message, '-')) FROM sync.sync_progress(session)
$$;

-- the answer
SELECT sync.sync_session_start('cb', status => 'pending') AS s \gset
SELECT is(sync.sync_progress_callback(pg_temp.claims(:s), jsonb_build_object('job_id', pg_temp.job(:s), 'progress', 40, 'message', 'meshing', 'status', 'processing')),
	jsonb_build_object('status', 'accepted', 'job_id', pg_temp.job(:s), 'session_status', 'processing'), '[002-14] a report is accepted, and answered with job and status');
SELECT is(pg_temp.shown(:s), 'processing 40/100 40 meshing', '[002-20] [003-15] it is seen before the fold: a percentage without a total is of 100');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), 'processing 40/100 meshing', 'and after it');
SELECT is(pg_temp.reports(:s, '{}'), 'processing', 'a report of nothing asks for the status');

-- never back
SELECT is(pg_temp.reports(:s, '{"progress":30,"message":"late"}') || pg_temp.shown(:s), 'processingprocessing 40/100 40 meshing', '[002-14] a late report takes nothing back, its message neither');
SELECT is(pg_temp.reports(:s, '{"progress":60,"message":"writing"}') || pg_temp.shown(:s), 'processingprocessing 60/100 60 writing', 'a newer one counts');
SELECT pg_temp.reports(:s, '{"progress":60,"message":"writing"}'), pg_temp.reports(:s, '{"progress":40,"message":"meshing","status":"processing"}');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), 'processing 60/100 writing', '[002-14] repeated, in any order, they have one effect');
SELECT pg_temp.reports(:s, '{"progress":10,"message":"again","reset":true}');
SELECT is(pg_temp.shown(:s), 'processing 10/100 10 again', 'but when it is asked for');
SELECT pg_temp.reports(:s, '{"reset":true}');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), 'processing 0/100 again', 'a reset alone is to zero');
SELECT pg_temp.reports(:s, '{"progress":5,"reset":false}');
SELECT is(pg_temp.shown(:s), 'processing 5/100 5 again', 'reset false is none');

-- percentages of a known total
SELECT sync.sync_session_start('cb', total_count => 3000) AS t \gset
SELECT pg_temp.reports(:t, jsonb_build_object('progress', p)) FROM generate_series(0, 45) AS p;
SELECT is(pg_temp.shown(:t), 'processing 1350/3000 45 -', 'of a known total a percentage is what shows as it');
SELECT pg_temp.reports(:t, '{"progress":45.05}');
SELECT is(pg_temp.shown(:t), 'processing 1352/3000 45 -', 'it may have decimals');
SELECT sync.sync_progress_increment(:t, 10);
SELECT is(pg_temp.shown(:t), 'processing 1362/3000 45 -', 'increments add');
SELECT pg_temp.reports(:t, '{"progress":46}');
SELECT is(pg_temp.shown(:t), 'processing 1380/3000 46 -', 'and reports after them do not add to them');
SELECT pg_temp.reports(:t, '{"progress":46,"total_count":4000}');
SELECT is(pg_temp.shown(:t), 'processing 1840/4000 46 -', 'a total that grows keeps the percentage');
SELECT pg_temp.reports(:t, '{"total_count":3600}');
SELECT is(pg_temp.shown(:t), 'processing 1840/3600 51 -', 'a total alone is taken as it is');

-- counts
SELECT sync.sync_session_start('cb', status => 'pending') AS c \gset
SELECT is(pg_temp.reports(:c, '{"processed_count":250,"total_count":1000,"message":"a"}') || pg_temp.shown(:c), 'processingprocessing 250/1000 25 a', 'counts with a total');
SELECT pg_temp.reports(:c, '{"processed_count":500,"total_count":900,"message":"b"}');
SELECT pg_temp.reports(:c, '{"processed_count":250,"total_count":1000,"message":"a"}');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:c), 'processing 500/900 b', 'a late report''s total is not believed either');
SELECT pg_temp.reports(:c, '{"message":"only a word"}');
SELECT is(pg_temp.shown(:c), 'processing 500/900 55 only a word', 'a message alone is taken as it is');
SELECT pg_temp.reports(:c, '{"processed_count":9007199254740991,"total_count":9007199254740991,"unknown":{"keys":[1]},"progress":null,"status":null,"message":null}');
SELECT is(pg_temp.shown(:c), 'processing 9007199254740991/9007199254740991 100 only a word', 'unknown keys and nulls do no harm');

-- status
SELECT sync.sync_session_start('cb', status => 'pending') AS p \gset
SELECT is(pg_temp.reports(:p, '{"status":"pending"}'), 'pending', 'pending stays pending');
SELECT is(pg_temp.reports(:p, '{"status":"processing"}'), 'processing', 'processing begins it');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:p), 'processing 0/- -', 'without a count of anything');
SELECT is(pg_temp.reports(:p, '{"status":"processing"}'), 'processing', 'a status repeated is no error');
SELECT sync.sync_session_pause(:p);
SELECT is(pg_temp.reports(:p, '{"status":"processing","progress":20}'), 'paused', '[002-14] a worker learns of a pause from the answer, and does not undo it');
SELECT is(pg_temp.reports(:p, '{"status":"paused"}'), 'paused', 'it may say that it has');
SELECT is(pg_temp.shown(:p), 'paused 20/100 20 -', 'what it did before is counted');
SELECT sync.sync_session_resume(:p);
SELECT is(pg_temp.reports(:p, '{"status":"paused"}'), 'processing', 'said late, it does not stop what was resumed');
SELECT sync.sync_session_cancel(:p, 'by alice');
SELECT is(pg_temp.reports(:p, '{"status":"processing","progress":30,"message":"going on"}'), 'cancelled', '[002-14] it learns of a cancel');
SELECT is(pg_temp.reports(:p, '{"status":"completed","progress":100,"message":"done","result_url":"/r"}'), 'cancelled', 'and cannot complete it');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:p), 'cancelled 100/100 by alice', 'what was done is counted, what was said is not');
SELECT is(result_url, NULL, 'nor where the result would be') FROM sync.sync_sessions WHERE id = :p;

SELECT sync.sync_session_start('cb') AS e \gset
SELECT pg_temp.reports(:e, '{"progress":90,"message":"almost"}');
SELECT is(pg_temp.reports(:e, '{"status":"completed","progress":100,"message":"done","result_url":"https://example.com/mesh/1"}'), 'completed', '[002-14] completed');
SELECT is(pg_temp.shown(:e), 'completed 100/100 100 done', 'with its last progress and message, whatever is not folded yet');
SELECT is(result_url, 'https://example.com/mesh/1', '[002-03] and its result') FROM sync.sync_sessions WHERE id = :e;
SELECT is(pg_temp.reports(:e, '{"status":"completed","progress":100,"message":"twice","result_url":"/other"}'), 'completed', 'completed twice is no error');
SELECT is(pg_temp.reports(:e, '{"status":"processing","progress":90,"message":"almost"}'), 'completed', 'a late report of progress is ignored');
SELECT is(pg_temp.reports(:e, '{"status":"failed","error_message":"too late"}'), 'completed', 'the first end stays');
SELECT is(pg_temp.reports(:e, '{"reset":true,"progress":1,"total_count":5}'), 'completed', 'nor can it be taken back');
SELECT pg_temp.reports(:e, '{"total_count":7}');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:e), 'completed 100/100 done', 'all that changed nothing');
SELECT is(format('%s %s', coalesce(error_message, '-'), result_url), '- https://example.com/mesh/1', 'nor its result') FROM sync.sync_sessions WHERE id = :e;

SELECT sync.sync_session_start('cb', status => 'pending') AS f \gset
SELECT is(pg_temp.reports(:f, '{"status":"failed","message":"no space left"}'), 'failed', '[002-14] failed, even before it has begun');
SELECT is(error_message, 'no space left', '[002-09] its message is the error') FROM sync.sync_sessions WHERE id = :f;
SELECT sync.sync_session_start('cb') AS f \gset
SELECT pg_temp.reports(:f, '{"status":"failed","message":"at step 3","error_message":"<b>no</b> space"}');
SELECT is(error_message || '|' || message, '<b>no</b> space|at step 3', 'unless it names one; texts are kept as they are') FROM sync.sync_sessions WHERE id = :f;
SELECT sync.sync_session_start('cb') AS f \gset
SELECT is(pg_temp.reports(:f, '{"status":"cancelled"}'), 'cancelled', 'cancelled');
SELECT sync.sync_session_start('cb') AS f \gset
SELECT sync.sync_session_pause(:f);
SELECT is(pg_temp.reports(:f, '{"status":"completed","processed_count":5}'), 'completed', 'a paused run can complete: its worker was done');

-- a message set before the end, and folded after it, is not the last word
SELECT sync.sync_session_start('cb') AS m \gset
BEGIN;
SELECT sync.sync_progress_set(:m, message => 'reading');
SELECT sync.sync_session_complete(:m, message => 'all read');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:m), 'completed 0/- all read', 'the message of an end is later than one set before it');

-- rights
CREATE FUNCTION pg_temp.call(claims jsonb, report jsonb) RETURNS text LANGUAGE sql AS $$ SELECT format('SELECT sync.sync_progress_callback(%L, %L)', claims, report) $$;
SELECT sync.sync_session_start('cb') AS r \gset
SELECT pg_temp.refuses(pg_temp.call(claims::jsonb, jsonb_build_object('job_id', pg_temp.job(:r), 'progress', 50)), '42501', 'token', '[000-35] refused: ' || what)
FROM (VALUES (NULL, 'no claims'), ('{}', 'empty claims'), ('[]', 'claims that are no object'),
	('{"sub":"cb","scope":["read","control","admin"]}', 'a token to watch with'),
	(format('{"sub":"cb","scope":["admin"],"job_id":"%s"}', pg_temp.job(:r)), 'one that names the job'),
	(format('{"aud":"web","job_id":"%s"}', pg_temp.job(:r)), 'another audience'),
	(format('{"aud":{"callback":1},"sub":"cb","job_id":"%s"}', 'x'), 'an audience that is none'),
	('{"aud":"callback"}', 'no job'),
	(format('{"aud":"callback","job_id":"%s"}', pg_temp.job(:s)), 'another job'),
	('{"aud":"callback","job_id":null}', 'job null')) AS v (claims, what);
SELECT lives_ok(pg_temp.call(jsonb_build_object('aud', ARRAY['web', 'callback'], 'job_id', pg_temp.job(:r)), jsonb_build_object('job_id', upper(pg_temp.job(:r)))), 'one audience of many, an id in capitals');
SELECT pg_temp.refuses(pg_temp.call(format('{"aud":"callback","job_id":"%s"}', job)::jsonb, jsonb_build_object('job_id', job)), 'P0002', 'does not exist', 'unknown: ' || job)
FROM (VALUES ('00000000-0000-0000-0000-000000000000'), ('42'), ('')) AS v (job);

-- bad reports
SELECT pg_temp.refuses(pg_temp.call(pg_temp.claims(:r), report::jsonb), '22023', pattern, 'bad report: ' || coalesce(left(report, 40), 'NULL'))
FROM (VALUES (NULL, 'object'), ('[]', 'object'), ('"x"', 'object'), ('{}', 'job_id'), ('{"job_id":7}', 'job_id'), ('{"job_id":null,"progress":1}', 'job_id')) AS v (report, pattern);
SELECT pg_temp.refuses(pg_temp.call(pg_temp.claims(:r), jsonb_build_object('job_id', pg_temp.job(:r)) || report::jsonb), '22023', pattern, CASE pattern WHEN 'web address' THEN '[000-35] ' ELSE '' END || 'bad report: ' || left(report, 60))
FROM (VALUES ('{"progress":101}', '"progress"'), ('{"progress":-0.1}', '"progress"'), ('{"progress":"45"}', '"progress"'), ('{"progress":[45]}', '"progress"'), ('{"progress":1e400}', '"progress"'),
	('{"processed_count":1.5}', '"processed_count"'), ('{"processed_count":-1}', '"processed_count"'), ('{"processed_count":9007199254740992}', '"processed_count"'),
	('{"total_count":true}', '"total_count"'), ('{"progress":1,"processed_count":1}', 'either'),
	('{"message":5}', '"message"'), (format('{"message":"%s"}', repeat('m', 481)), '480'), (format('{"status":"failed","error_message":"%s"}', repeat('m', 2001)), '2000'),
	('{"status":"done"}', 'unknown status'), ('{"status":["completed"]}', '"status"'), ('{"reset":1}', '"reset"'), ('{"error_message":"x"}', 'error_message'),
	('{"result_url":"/x"}', 'result_url'), ('{"status":"completed","result_url":"javascript:alert(1)"}', 'web address'), ('{"status":"completed","result_url":" JavaScript:alert(1)"}', 'web address'),
	('{"status":"completed","result_url":"java\tscript:alert(1)"}', 'web address'), ('{"status":"completed","result_url":"data:text/html,x"}', 'web address')) AS v (report, pattern);
SELECT is(pg_temp.shown(:r), 'processing 0/- - -', 'none of them changed anything');
SELECT pg_temp.reports(:r, jsonb_build_object('message', repeat('é', 480), 'total_count', 9007199254740991, 'processed_count', 1));
SELECT sync.sync_progress_flush();
SELECT is(length(message), 480, 'the longest message fits') FROM sync.sync_sessions WHERE id = :r;

SELECT * FROM finish();
