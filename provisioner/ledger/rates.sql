-- name: record_rate
INSERT INTO rates (lane, operation, rate, learned_at)
VALUES (:lane, :operation, :rate, :learned_at)
ON CONFLICT (lane, operation) DO UPDATE SET rate = excluded.rate, learned_at = excluded.learned_at

-- name: rates
SELECT lane, operation, rate, learned_at FROM rates ORDER BY learned_at DESC
