-- The ledger: one row per session start, participant, channel, kind and lead. It is the deduplication log, the outbox and
-- the audit trail at once. scheduled_at holds the platform's digits; every other time is UTC. No foreign keys into the
-- platform's tables: what was sent stays on record when a session is deleted.
-- lead_minutes says which reminder of a start it is. A correction (kind moved or cancelled) has its number there, -1, -2, ...,
-- within its session, user and channel: a session can be moved there, back, and there again.
CREATE TABLE IF NOT EXISTS session_reminder_deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    course_session_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    channel VARCHAR(16) NOT NULL,
    kind VARCHAR(16) NOT NULL DEFAULT 'reminder',
    lead_minutes INTEGER NOT NULL,
    scheduled_at DATETIME NOT NULL,
    status VARCHAR(16) NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at DATETIME,
    claimed_by VARCHAR(64),
    claimed_at DATETIME,
    lease_until DATETIME,
    rendered_at DATETIME,
    recipient VARCHAR(255),
    message_id VARCHAR(255),
    error_code VARCHAR(64),
    error TEXT,
    sent_at DATETIME,
    delivery_status VARCHAR(32),
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS session_reminder_deliveries_unique ON session_reminder_deliveries
    (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at);
CREATE INDEX IF NOT EXISTS session_reminder_deliveries_sent ON session_reminder_deliveries (channel, sent_at);
CREATE INDEX IF NOT EXISTS session_reminder_deliveries_queue ON session_reminder_deliveries (status, channel, scheduled_at);

-- Laravel's own log, one row per session, in its own shape; there already where its migration has run.
CREATE TABLE IF NOT EXISTS session_reminder_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    course_session_id INTEGER NOT NULL CONSTRAINT session_reminder_logs_course_session_id_unique UNIQUE,
    sent_at DATETIME NOT NULL,
    recipients_count INTEGER NOT NULL DEFAULT '0',
    created_at DATETIME,
    updated_at DATETIME
);
