\set session random(1, :sessions)
SELECT 1 WHERE :session > 0;
