-- The platform's tables, as its Laravel migrations make them, with every optional column that a reminder can use.
-- Only run on an empty database: on a platform's own database these tables are there already and belong to it.
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name VARCHAR NOT NULL,
    email VARCHAR NOT NULL,
    status VARCHAR NOT NULL DEFAULT 'active',
    locale VARCHAR,
    created_at DATETIME,
    updated_at DATETIME,
    deleted_at DATETIME
);
CREATE UNIQUE INDEX users_email_unique ON users (email);

CREATE TABLE user_profiles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    phone VARCHAR,
    whatsapp_opt_in TINYINT(1) NOT NULL DEFAULT '0',
    timezone VARCHAR,
    locale VARCHAR,
    created_at DATETIME,
    updated_at DATETIME
);
CREATE INDEX user_profiles_user_id_index ON user_profiles (user_id);

CREATE TABLE courses (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    title VARCHAR NOT NULL,
    mode VARCHAR,
    default_meeting_url VARCHAR,
    created_at DATETIME,
    updated_at DATETIME,
    deleted_at DATETIME
);

CREATE TABLE course_sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    course_id INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    title VARCHAR,
    mode VARCHAR CHECK (mode IN ('online', 'offline', 'hybrid')),
    scheduled_at DATETIME NOT NULL,
    duration_minutes INTEGER NOT NULL DEFAULT 90,
    meeting_url VARCHAR,
    location VARCHAR,
    status VARCHAR NOT NULL DEFAULT 'scheduled',
    created_at DATETIME,
    updated_at DATETIME,
    cancelled_at DATETIME,
    deleted_at DATETIME
);
CREATE INDEX course_sessions_scheduled_at_index ON course_sessions (scheduled_at);

CREATE TABLE enrollments (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    course_id INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    modality VARCHAR NOT NULL DEFAULT 'offline',
    online_access_url VARCHAR,
    expires_at DATETIME,
    status VARCHAR NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'active', 'completed', 'expired', 'cancelled')),
    created_at DATETIME,
    updated_at DATETIME,
    deleted_at DATETIME
);
CREATE UNIQUE INDEX enrollments_user_id_course_id_unique ON enrollments (user_id, course_id);
CREATE INDEX enrollments_course_id_index ON enrollments (course_id);
