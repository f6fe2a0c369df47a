\set session random(1, :sessions)
UPDATE bench.with_trigger SET processed = processed + 1 WHERE id = :session;
