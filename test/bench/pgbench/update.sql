\set session random(1, :sessions)
UPDATE bench.plain SET processed = processed + 1 WHERE id = :session;
