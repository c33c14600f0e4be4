-- name: insert_campaign
INSERT INTO campaigns (name, input_name, input_sha256, defaults, layout, connectors, created_at)
VALUES (:name, :input_name, :input_sha256, :defaults, '{"format":""}', '[]', :created_at)
RETURNING id, recording

-- name: renew_campaign
UPDATE campaigns
SET input_name = :input_name, input_sha256 = :input_sha256, defaults = :defaults,
    recording = recording + 1
WHERE name = :name
RETURNING id, recording

-- name: finish_campaign
UPDATE campaigns SET layout = :layout, connectors = :connectors WHERE id = :id

-- name: campaigns
SELECT id, name, input_name, input_sha256, defaults, layout, connectors, created_at
FROM campaigns
ORDER BY id

-- name: unfinished_with_input
SELECT name
FROM campaigns
WHERE input_sha256 = :input_sha256 AND name <> :name
    AND EXISTS (SELECT 1 FROM jobs WHERE campaign_id = campaigns.id
                AND state IN ('pending', 'in_flight', 'ambiguous', 'needs_review'))
ORDER BY id
LIMIT 1

-- name: turned_away_rows_of_campaign
DELETE FROM jobs WHERE campaign_id = :campaign_id AND problem IS NOT NULL

-- name: jobs_with_keys
SELECT key, id, number, recording, request
FROM jobs
WHERE campaign_id = :campaign_id AND problem IS NULL
    AND key IN (SELECT value FROM json_each(:keys))

-- name: insert_row
INSERT INTO jobs (campaign_id, number, key, state, recording, problem, request, fingerprint, cells)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: seen_again
UPDATE jobs SET number = ?, recording = ?, cells = ? WHERE id = ?

-- name: count_gone
SELECT count(*) FROM jobs
WHERE campaign_id = :campaign_id AND problem IS NULL AND recording < :recording

-- name: count_to_send
SELECT count(*) FROM jobs
WHERE campaign_id = :campaign_id AND state = 'pending' AND recording = :recording

-- name: lost_attempts
UPDATE attempts SET state = 'unknown', verdict = 'ambiguous', error_code = 'ProcessDied',
    message = 'the process ended before the answer was recorded'
WHERE state = 'open' AND job_id IN (SELECT id FROM jobs WHERE state = 'in_flight')

-- name: lost_jobs
UPDATE jobs SET state = 'ambiguous' WHERE state = 'in_flight'

-- name: count_failed
SELECT count(*) FROM jobs
WHERE campaign_id = :campaign_id AND state = 'failed'
    AND (:code = '*'
         OR :code = (SELECT error_code FROM attempts WHERE attempts.id = jobs.last_attempt))

-- name: requeue_failed
UPDATE jobs SET state = 'pending'
WHERE campaign_id = :campaign_id AND state = 'failed'
    AND (:code = '*'
         OR :code = (SELECT error_code FROM attempts WHERE attempts.id = jobs.last_attempt))

-- name: claim
SELECT id, key, request, attempts
FROM jobs
WHERE campaign_id = :campaign_id AND state = 'pending' AND id > :after
ORDER BY id
LIMIT :limit

-- name: claim_again
SELECT id, key, request, attempts
FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'pending'
ORDER BY id

-- name: next_attempt
SELECT coalesce(max(id), 0) + 1 FROM attempts

-- name: open_attempt
INSERT INTO attempts (id, job_id, number, state, opened_at) VALUES (?, ?, ?, 'open', ?)

-- name: job_in_flight
UPDATE jobs SET state = 'in_flight', attempts = ?, last_attempt = ?
WHERE id = ? AND state = 'pending'

-- name: close_attempt
UPDATE attempts
SET state = ?, closed_at = ?, answered = ?, verdict = ?, throttled = ?, status = ?, error_code = ?,
    message = ?, request_id = ?, session_id = ?, session = ?
WHERE id = ? AND state = 'open'

-- name: job_after_attempt
UPDATE jobs SET state = ? WHERE id = ? AND state = 'in_flight'

-- name: counts
SELECT state, count(*) FROM jobs WHERE campaign_id = :campaign_id GROUP BY state

-- name: calls
SELECT coalesce(sum(attempts.number > 0), 0), coalesce(sum(throttled), 0),
    coalesce(sum(attempts.number > 1), 0), coalesce(sum(verdict = 'ambiguous'), 0),
    coalesce(sum(adopted), 0)
FROM jobs JOIN attempts ON attempts.job_id = jobs.id
WHERE campaign_id = :campaign_id

-- name: results
SELECT jobs.number, cells, key, jobs.state, request, session, jobs.attempts, error_code, message,
    request_id, problem
FROM jobs LEFT JOIN attempts ON attempts.id = jobs.last_attempt
WHERE campaign_id = :campaign_id
ORDER BY jobs.id

-- name: insert_run
INSERT INTO runs (campaign_id, ended_at, summary) VALUES (:campaign_id, :ended_at, :summary)

-- name: last_run
SELECT summary FROM runs WHERE campaign_id = :campaign_id ORDER BY id DESC LIMIT 1

-- name: attach
ATTACH DATABASE :uri AS recorded

-- name: overlap
SELECT theirs.state, count(*)
FROM jobs AS ours
JOIN recorded.jobs AS theirs ON theirs.key = ours.key AND theirs.problem IS NULL
JOIN recorded.campaigns AS campaign ON campaign.id = theirs.campaign_id
WHERE ours.problem IS NULL AND campaign.name = :name
GROUP BY theirs.state

-- name: expiries
SELECT count(*), count(expiry), min(expiry), max(expiry)
FROM (SELECT json_extract(request, '$.ExpiryMinutes') AS expiry FROM jobs WHERE problem IS NULL)

-- name: last_job
SELECT coalesce(max(id), 0) FROM jobs

-- name: held_by_another
SELECT other.name
FROM campaigns AS other
WHERE other.id <> :campaign_id
    AND EXISTS (SELECT 1 FROM jobs WHERE campaign_id = other.id
                AND state IN ('pending', 'in_flight', 'ambiguous', 'needs_review'))
    AND :new = (
        SELECT count(*)
        FROM jobs AS ours
        JOIN jobs AS theirs
            ON theirs.campaign_id = other.id AND theirs.key = ours.key AND theirs.problem IS NULL
        WHERE ours.campaign_id = :campaign_id AND ours.id > :after AND ours.problem IS NULL
            AND json_remove(ours.request, '$.Name') = json_remove(theirs.request, '$.Name'))
ORDER BY other.id
LIMIT 1

-- name: withdraw_attempts
DELETE FROM attempts WHERE job_id IN (
    SELECT id FROM jobs
    WHERE campaign_id = :campaign_id AND state = 'pending' AND recording < :recording)

-- name: withdraw_jobs
DELETE FROM jobs
WHERE campaign_id = :campaign_id AND state = 'pending' AND recording < :recording

-- name: pending_connectors
SELECT DISTINCT json_extract(request, '$.VoiceConnectorId')
FROM jobs
WHERE campaign_id = :campaign_id AND state = 'pending'
