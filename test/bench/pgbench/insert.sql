\set session random(1, :sessions)
INSERT INTO bench.heap (session_id, amount, stamp, op) VALUES (:session, 1, 1763776000123456, 'p');
