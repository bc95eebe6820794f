-- The ledger: one row per session start, participant, channel, kind and lead. It is the deduplication log, the outbox and
-- the audit trail at once. scheduled_at holds the platform's digits; every other time is UTC (DATETIME: no zone of the
-- server's changes it). No foreign keys into the platform's tables: what was sent stays on record when a session is
-- deleted.
-- lead_minutes says which reminder of a start it is. A correction (kind moved or cancelled) has its number there, -1, -2, ...,
-- within its session, user and channel: a session can be moved there, back, and there again.
CREATE TABLE IF NOT EXISTS session_reminder_deliveries (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    course_session_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    channel VARCHAR(16) NOT NULL,
    kind VARCHAR(16) NOT NULL DEFAULT 'reminder',
    lead_minutes INT NOT NULL,
    scheduled_at DATETIME(6) NOT NULL,
    status VARCHAR(16) NOT NULL DEFAULT 'pending',
    attempts INT NOT NULL DEFAULT 0,
    next_attempt_at DATETIME NULL,
    claimed_by VARCHAR(64) NULL,
    claimed_at DATETIME NULL,
    lease_until DATETIME NULL,
    rendered_at DATETIME NULL,
    recipient VARCHAR(255) NULL,
    message_id VARCHAR(255) NULL,
    error_code VARCHAR(64) NULL,
    error TEXT NULL,
    sent_at DATETIME NULL,
    delivery_status VARCHAR(32) NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    UNIQUE KEY session_reminder_deliveries_unique
        (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at),
    KEY session_reminder_deliveries_sent (channel, sent_at),
    KEY session_reminder_deliveries_queue (status, channel, scheduled_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Laravel's own log, one row per session, in its own shape; there already where its migration has run.
CREATE TABLE IF NOT EXISTS session_reminder_logs (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    course_session_id BIGINT UNSIGNED NOT NULL,
    sent_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    recipients_count INT UNSIGNED NOT NULL DEFAULT 0,
    created_at TIMESTAMP NULL,
    updated_at TIMESTAMP NULL,
    UNIQUE KEY session_reminder_logs_course_session_id_unique (course_session_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
