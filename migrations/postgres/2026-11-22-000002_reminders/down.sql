-- session_reminder_logs stays: it is Laravel's.
DROP TABLE session_reminder_deliveries;
