-- name: index_fingerprints
CREATE INDEX IF NOT EXISTS jobs_by_fingerprint ON jobs (fingerprint) WHERE fingerprint IS NOT NULL

-- name: reopen_reviewed
UPDATE jobs SET state = 'ambiguous' WHERE campaign_id = :campaign_id AND state = 'needs_review'

-- name: questions
SELECT jobs.id, key, request, attempts, doubt.id, first.opened_at, doubt.opened_at,
    doubt.closed_at, doubt.answered, doubt.absent_at
FROM jobs
JOIN attempts AS doubt ON doubt.id = jobs.last_attempt
JOIN attempts AS first ON first.job_id = jobs.id AND first.number = 1
WHERE campaign_id = :campaign_id AND jobs.state = 'ambiguous' AND jobs.id > :after
ORDER BY jobs.id
LIMIT :limit

-- name: want_ambiguous
INSERT OR IGNORE INTO temp.wanted
SELECT json_extract(request, '$.Name') FROM jobs
WHERE campaign_id = :campaign_id AND state = 'ambiguous'

-- name: want_suspects
INSERT OR IGNORE INTO temp.wanted
SELECT json_extract(request, '$.Name') FROM attempts CROSS JOIN jobs ON jobs.id = attempts.job_id
WHERE campaign_id = :campaign_id AND status = 503

-- name: under_way
SELECT request FROM jobs WHERE campaign_id = :campaign_id AND state = 'in_flight'

-- name: suspects
SELECT json_extract(request, '$.VoiceConnectorId') AS connector_id, max(closed_at)
FROM attempts CROSS JOIN jobs ON jobs.id = attempts.job_id
WHERE campaign_id = :campaign_id AND status = 503
GROUP BY connector_id

-- name: suspected
SELECT DISTINCT jobs.id, request
FROM attempts CROSS JOIN jobs ON jobs.id = attempts.job_id
WHERE campaign_id = :campaign_id AND status = 503 AND jobs.state <> 'ambiguous'

-- name: note
INSERT OR REPLACE INTO temp.sightings
    (session_id, connector_id, name, numbers, fingerprint, created_at, session)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
WHERE ?8 OR EXISTS (SELECT 1 FROM temp.wanted WHERE name = ?3)

-- name: mark_owners
UPDATE temp.sightings SET owner = found.job_id
FROM (SELECT seen.session_id, jobs.id AS job_id
      FROM temp.sightings AS seen
      CROSS JOIN jobs ON jobs.fingerprint = seen.fingerprint
      CROSS JOIN attempts ON attempts.job_id = jobs.id AND attempts.state = 'created'
          AND attempts.session_id = seen.session_id
      WHERE json_extract(request, '$.Name') = seen.name) AS found
WHERE sightings.session_id = found.session_id

-- name: mark_jobs
UPDATE temp.sightings SET job = (
    SELECT min(id)
    FROM (SELECT id, json_extract(request, '$.Name') AS name,
              json_extract(request, '$.VoiceConnectorId') AS connector_id,
              ltrim(json_extract(request, '$.ParticipantPhoneNumbers[0]'), '+') AS one,
              ltrim(json_extract(request, '$.ParticipantPhoneNumbers[1]'), '+') AS other
          FROM jobs
          WHERE fingerprint = sightings.fingerprint) AS found
    WHERE found.name = sightings.name AND found.connector_id = sightings.connector_id
        AND min(one, other) || ' ' || max(one, other) = sightings.numbers)
WHERE owner IS NULL

-- name: candidates
SELECT session FROM temp.sightings
WHERE name = :name AND connector_id = :connector_id AND owner IS NULL
ORDER BY created_at, session_id

-- name: own_sighting
UPDATE temp.sightings SET owner = ? WHERE session_id = ? AND owner IS NULL

-- name: adopt_attempt
UPDATE attempts SET state = 'created', adopted = 1, session_id = ?, session = ?
WHERE id = ? AND state = 'unknown'

-- name: absent_attempt
UPDATE attempts SET absent_at = ? WHERE id = ? AND state = 'unknown'

-- name: disprove_attempt
UPDATE attempts SET state = 'not_created' WHERE id = ? AND state = 'unknown'

-- name: explain_attempt
UPDATE attempts SET message = ? WHERE id = ? AND state = 'unknown'

-- name: settle_job
-- What is gone from the job file is never sent again.
UPDATE jobs
SET state = iif(?1 = 'pending' AND recording < (SELECT recording FROM campaigns
                                                WHERE campaigns.id = jobs.campaign_id),
                'withdrawn', ?1)
WHERE id = ?2 AND state = 'ambiguous'

-- name: strays
SELECT sightings.session_id, sightings.connector_id, sightings.session, jobs.key, jobs.request,
    first.opened_at, owner.session_id
FROM temp.sightings
LEFT JOIN jobs ON jobs.id = sightings.job
LEFT JOIN attempts AS first ON first.job_id = jobs.id AND first.number = 1
LEFT JOIN attempts AS owner ON owner.id = jobs.last_attempt AND owner.state = 'created'
WHERE sightings.session_id > :after AND sightings.owner IS NULL
    AND (sightings.job IS NOT NULL OR sightings.name GLOB :ours)
    AND coalesce(jobs.state, '') NOT IN ('ambiguous', 'in_flight')
ORDER BY sightings.session_id
LIMIT :limit

-- name: unsent
SELECT id, key, request, attempts, sessions
FROM (SELECT id, key, request, attempts,
          (SELECT json_group_array(json(session))
           FROM (SELECT session FROM temp.sightings
                 WHERE name = json_extract(request, '$.Name') AND owner IS NULL
                     AND connector_id = json_extract(request, '$.VoiceConnectorId')
                     AND numbers = min(ltrim(json_extract(request, '$.ParticipantPhoneNumbers[0]'), '+'),
                                       ltrim(json_extract(request, '$.ParticipantPhoneNumbers[1]'), '+'))
                         || ' ' || max(ltrim(json_extract(request, '$.ParticipantPhoneNumbers[0]'), '+'),
                                       ltrim(json_extract(request, '$.ParticipantPhoneNumbers[1]'), '+'))
                 ORDER BY created_at, session_id)) AS sessions
      FROM jobs
      WHERE campaign_id = :campaign_id AND state IN ('pending', 'failed') AND id > :after)
WHERE sessions <> '[]'
ORDER BY id
LIMIT :limit

-- name: insert_adopted
INSERT INTO attempts (id, job_id, number, state, opened_at, closed_at, adopted, session_id, session)
VALUES (?, ?, 0, 'created', ?, ?, 1, ?, ?)

-- name: adopt_job
UPDATE jobs SET state = 'created', last_attempt = ? WHERE id = ? AND state IN ('pending', 'failed')
