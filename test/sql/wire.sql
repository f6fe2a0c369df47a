-- What watchers of each kind are sent in each state, byte for byte: the golden
-- files in test/fixtures/wire, which bridge and client are tested with as well
-- (make.sh there writes them).
\ir include/helpers.psql
SELECT plan(35);

\set files `cd ../fixtures/wire && for f in sync.* mesh.* batch.* connection.*; do printf '%s\t%s\n' "${f%.json}" "$(cat "$f")"; done`
CREATE TEMP TABLE golden AS
	SELECT split_part(line, E'\t', 1) AS name, split_part(line, E'\t', 2) AS content FROM regexp_split_to_table(:'files', E'\n') AS line;

BEGIN;
-- a payload is the same wherever the one who asks for it is
SET LOCAL timezone = 'America/Costa_Rica';
\ir ../fixtures/wire/sessions.psql
SELECT is(w.payload, g.content, format('%s %s, byte for byte',
	CASE split_part(coalesce(g.name, w.kind), '.', 1) WHEN 'mesh' THEN '[002-03]' WHEN 'batch' THEN '[002-04]' WHEN 'connection' THEN '[003-04] [003-05]' ELSE '[000-13] [000-14]' END,
	coalesce(g.name, w.kind || '.' || w.state)))
FROM golden AS g FULL JOIN wire_payloads AS w ON g.name = w.kind || '.' || w.state ORDER BY g.name;
SELECT is(count(*), 29::bigint, 'seven states of each of four kinds, and a stalled sync') FROM golden;

-- what holds for all of them
SELECT is(string_agg(DISTINCT content::jsonb ->> 'status', ' ' ORDER BY content::jsonb ->> 'status'), 'cancelled completed failed paused pending processing', '[002-05] the statuses there are') FROM golden WHERE name ~ '^(mesh|batch)';
SELECT is(string_agg(DISTINCT name, ', '), NULL, '[003-04] a state has no "type"') FROM golden WHERE content::jsonb ? 'type';
SELECT is(string_agg(name, ', ' ORDER BY name), 'mesh.completed', '[002-03] result_url on completion only') FROM golden WHERE name LIKE 'mesh.%' AND content::jsonb ? 'result_url';
SELECT is(string_agg(DISTINCT json_typeof(content::json -> 'mesh_id') || json_typeof(content::json -> 'batch_id'), ','), NULL, 'a payload bears one id') FROM golden;
SELECT is(string_agg(DISTINCT coalesce(json_typeof(content::json -> 'mesh_id'), json_typeof(content::json -> 'batch_id')), ',' ORDER BY coalesce(json_typeof(content::json -> 'mesh_id'), json_typeof(content::json -> 'batch_id'))),
	'number,string', 'a number where the application''s id is one, else a string') FROM golden WHERE name ~ '^(mesh|batch)';
SELECT * FROM finish();
ROLLBACK;
