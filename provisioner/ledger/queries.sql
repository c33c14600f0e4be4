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
UPDATE campaigns
SET layout = :layout, connectors = :connectors, gone = :gone
WHERE id = :campaign_id

-- name: campaigns
SELECT id, name, input_name, input_sha256, defaults, layout, connectors, created_at, gone
FROM campaigns
ORDER BY id

-- name: unfinished_with_input
SELECT other.name, (SELECT count(*) FROM jobs
                    WHERE campaign_id = other.id
                        AND (state = 'pending' OR state = 'in_flight' OR state = 'ambiguous'
                             OR state = 'needs_review')) AS unsettled
FROM campaigns AS own JOIN campaigns AS other USING (input_sha256)
WHERE own.id = :campaign_id AND other.id <> own.id AND unsettled > 0
ORDER BY other.id
LIMIT 1

-- name: turned_away_rows_of_campaign
DELETE FROM jobs WHERE campaign_id = :campaign_id AND problem IS NOT NULL

-- name: jobs_with_keys
SELECT key, id, number, recording, request, attempts, state
FROM jobs
WHERE campaign_id = :campaign_id AND problem IS NULL
    AND key IN (SELECT value FROM json_each(:keys))

-- name: insert_jobs
-- FAIL needs no journal of the statement: whatever fails undoes the whole recording.
INSERT OR FAIL INTO jobs (id, campaign_id, number, key, state, recording, request, fingerprint, cells)
SELECT ?1 + column1, ?2, column1, column2, 'pending', ?3, column3, column4, column5
FROM (VALUES {rows})
WHERE true
ON CONFLICT (campaign_id, key) WHERE problem IS NULL DO NOTHING

-- name: insert_turned_away
INSERT INTO jobs (id, campaign_id, number, key, state, recording, problem, cells)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: seen_again
UPDATE jobs
SET number = ?, recording = ?, cells = ?,
    state = CASE state WHEN 'withdrawn' THEN 'pending' ELSE state END
WHERE id = ?

-- name: forget_job
DELETE FROM jobs WHERE id = ?

-- name: count_gone
SELECT count(*) FROM jobs
WHERE campaign_id = :campaign_id AND problem IS NULL AND recording < :recording

-- name: count_to_send
SELECT count(*) FROM jobs
WHERE campaign_id = :campaign_id AND state = 'pending' AND recording = :recording

-- name: lost_attempts
UPDATE attempts SET state = 'unknown', verdict = 'ambiguous', error_code = 'ProcessDied',
    message = 'the process ended before the answer was recorded'
WHERE state = 'open' AND job_id IN (
    SELECT id FROM jobs
    WHERE campaign_id IN (SELECT id FROM campaigns) AND state = 'in_flight')

-- name: lost_jobs
UPDATE jobs SET state = 'ambiguous'
WHERE campaign_id IN (SELECT id FROM campaigns) AND state = 'in_flight'

-- name: count_failed
SELECT count(*) FROM jobs
WHERE campaign_id = :campaign_id AND state = 'failed'
    AND recording = (SELECT recording FROM campaigns WHERE id = :campaign_id)
    AND (:code = '*'
         OR :code = (SELECT error_code FROM attempts WHERE attempts.id = jobs.last_attempt))

-- name: any_in_flight
SELECT EXISTS (
    SELECT 1 FROM jobs
    WHERE campaign_id IN (SELECT id FROM campaigns) AND state = 'in_flight')

-- name: requeue_failed
UPDATE jobs SET state = 'pending'
WHERE campaign_id = :campaign_id AND state = 'failed'
    AND recording = (SELECT recording FROM campaigns WHERE id = :campaign_id)
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
INSERT INTO attempts (id, job_id, number, state, opened_at)
SELECT column1, column2, column3, 'open', column4 FROM (VALUES {rows})

-- name: job_in_flight
UPDATE jobs
SET state = 'in_flight', attempts = each.column3, last_attempt = each.column1
FROM (VALUES {rows}) AS each
WHERE jobs.id = each.column2 AND jobs.state = 'pending'

-- name: close_attempt
UPDATE attempts
SET closed_at = each.column2, state = each.column3, answered = each.column4,
    verdict = each.column5, throttled = each.column6, status = each.column7,
    error_code = each.column8, message = each.column9, request_id = each.column10,
    session_id = each.column11, session = each.column12
FROM (VALUES {rows}) AS each
WHERE attempts.id = each.column1 AND attempts.state = 'open'

-- name: job_after_attempt
UPDATE jobs SET state = each.column2
FROM (VALUES {rows}) AS each
WHERE jobs.id = each.column1 AND jobs.state = 'in_flight'

-- name: counts
-- Created jobs are what is left over, so that two indexes answer for a million rows.
WITH others AS MATERIALIZED (
    SELECT state, count(*) AS jobs FROM jobs
    WHERE campaign_id = :campaign_id
        AND (state = 'pending' OR state = 'in_flight' OR state = 'ambiguous' OR state = 'needs_review'
             OR state = 'failed' OR state = 'withdrawn' OR state = 'rejected' OR state = 'duplicate')
    GROUP BY state
), created AS (
    SELECT (SELECT count(*) FROM jobs WHERE campaign_id = :campaign_id)
        - (SELECT coalesce(sum(jobs), 0) FROM others) AS jobs
)
SELECT 'created', jobs FROM created WHERE jobs > 0
UNION ALL
SELECT state, jobs FROM others

-- name: calls
SELECT coalesce(sum(attempts.number > 0), 0), coalesce(sum(throttled), 0),
    coalesce(sum(attempts.number > 1), 0), coalesce(sum(verdict = 'ambiguous'), 0),
    coalesce(sum(adopted), 0)
FROM jobs JOIN attempts ON attempts.job_id = jobs.id
WHERE campaign_id = :campaign_id

-- name: results
SELECT CASE WHEN jobs.recording = campaigns.recording THEN jobs.number END, cells, key, jobs.state,
    request, session, jobs.attempts, error_code, message, request_id, problem
FROM campaigns
JOIN jobs ON jobs.campaign_id = campaigns.id
LEFT JOIN attempts ON attempts.id = jobs.last_attempt
WHERE campaigns.id = :campaign_id
ORDER BY jobs.id

-- name: insert_run
INSERT INTO runs (campaign_id, ended_at, summary) VALUES (:campaign_id, :ended_at, :summary)

-- name: last_run
SELECT summary FROM runs WHERE campaign_id = :campaign_id ORDER BY id DESC LIMIT 1

-- name: attach
ATTACH DATABASE :uri AS recorded

-- name: known_campaigns
INSERT INTO campaigns SELECT * FROM recorded.campaigns

-- name: known_jobs
INSERT INTO jobs
SELECT jobs.*
FROM recorded.campaigns CROSS JOIN recorded.jobs ON campaign_id = campaigns.id
    AND (state = 'pending' OR state = 'in_flight' OR state = 'ambiguous' OR state = 'needs_review')
WHERE campaigns.name <> :name
UNION ALL
SELECT jobs.*
FROM recorded.campaigns CROSS JOIN recorded.jobs ON campaign_id = campaigns.id
WHERE campaigns.name = :name

-- name: overlap
SELECT state, count(*) FROM jobs
WHERE campaign_id = :campaign_id AND problem IS NULL AND recording = :recording AND id <= :before
GROUP BY state

-- name: default_expiries
CREATE TEMP TABLE default_expiries (connector TEXT PRIMARY KEY, minutes INTEGER)

-- name: learn_default_expiries
INSERT INTO temp.default_expiries
SELECT connector, minutes
FROM (SELECT json_extract(request, '$.VoiceConnectorId') AS connector,
          json_extract(session, '$.ExpiryMinutes') AS minutes, max(id)
      FROM (SELECT attempts.id, request, session
            FROM recorded.attempts AS attempts
            JOIN recorded.jobs AS jobs ON jobs.id = attempts.job_id
            WHERE attempts.state = 'created'
            ORDER BY attempts.id DESC LIMIT 10000)
      WHERE json_extract(request, '$.ExpiryMinutes') IS NULL
      GROUP BY connector)

-- name: closings
SELECT count(*), count(closes), min(closes), max(closes), coalesce(sum(closes < :needed_until), 0)
FROM (SELECT :start + (row_number() OVER (ORDER BY id) - 1) * :interval
          + 60.0 * coalesce(json_extract(request, '$.ExpiryMinutes'), minutes) AS closes
      FROM jobs
      LEFT JOIN temp.default_expiries ON connector = json_extract(request, '$.VoiceConnectorId')
      WHERE campaign_id = :campaign_id AND state = 'pending' AND recording = :recording)

-- name: last_job
SELECT coalesce(max(id), 0) FROM jobs

-- name: unfinished_others
SELECT id, name
FROM campaigns
WHERE id <> :campaign_id AND EXISTS (
    SELECT 1 FROM jobs
    WHERE campaign_id = campaigns.id
        AND (state = 'pending' OR state = 'in_flight' OR state = 'ambiguous' OR state = 'needs_review'))
ORDER BY id

-- name: count_held
-- A key that is no job_id is made from the whole request: two of those are compared as they are.
WITH theirs AS MATERIALIZED (
    SELECT json_remove(request, '$.Name') AS content, key, key GLOB :identity AS made
    FROM jobs
    WHERE campaign_id = :other
        AND (state = 'pending' OR state = 'in_flight' OR state = 'ambiguous' OR state = 'needs_review')
)
SELECT count(*)
FROM (SELECT json_remove(request, '$.Name') AS content, key, key GLOB :identity AS made
      FROM jobs
      WHERE campaign_id = :campaign_id AND id > :after AND problem IS NULL) AS ours
WHERE (content, key) IN (SELECT content, key FROM theirs)
    OR (content, NOT made) IN (SELECT content, made FROM theirs)

-- name: forget_unsent
DELETE FROM jobs
WHERE campaign_id = :campaign_id AND state = 'pending' AND recording < :recording AND attempts = 0

-- name: withdraw_sent
UPDATE jobs SET state = 'withdrawn'
WHERE campaign_id = :campaign_id AND state = 'pending' AND recording < :recording

-- name: name_cells
UPDATE jobs
SET cells = (SELECT json_group_object(names.value, each.value)
             FROM json_each(:columns) AS names JOIN json_each(jobs.cells) AS each USING (key))
WHERE campaign_id = :campaign_id AND recording < :recording AND json_type(cells) = 'array'

-- name: pending_connectors
SELECT DISTINCT json_extract(request, '$.VoiceConnectorId')
FROM jobs
WHERE campaign_id = :campaign_id AND state = 'pending'
