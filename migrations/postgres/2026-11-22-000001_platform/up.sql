-- The platform's tables, as its Laravel migrations make them, with every optional column that a reminder can use.
-- Only run on an empty database: on a platform's own database these tables are there already and belong to it.
CREATE TABLE users (
    id bigserial PRIMARY KEY,
    name varchar(255) NOT NULL,
    email varchar(255) NOT NULL,
    status varchar(255) NOT NULL DEFAULT 'active',
    locale varchar(16),
    created_at timestamp(0),
    updated_at timestamp(0),
    deleted_at timestamp(0)
);
CREATE UNIQUE INDEX users_email_unique ON users (email);

CREATE TABLE user_profiles (
    id bigserial PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    phone varchar(20),
    whatsapp_opt_in boolean NOT NULL DEFAULT false,
    timezone varchar(64),
    locale varchar(16),
    created_at timestamp(0),
    updated_at timestamp(0)
);
CREATE INDEX user_profiles_user_id_index ON user_profiles (user_id);

CREATE TABLE courses (
    id bigserial PRIMARY KEY,
    title varchar(255) NOT NULL,
    mode varchar(255),
    default_meeting_url varchar(255),
    created_at timestamp(0),
    updated_at timestamp(0),
    deleted_at timestamp(0)
);

CREATE TABLE course_sessions (
    id bigserial PRIMARY KEY,
    course_id bigint NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    title varchar(255),
    mode varchar(255) CHECK (mode IN ('online', 'offline', 'hybrid')),
    scheduled_at timestamp(0) NOT NULL,
    duration_minutes integer NOT NULL DEFAULT 90,
    meeting_url varchar(255),
    location varchar(255),
    status varchar(255) NOT NULL DEFAULT 'scheduled',
    created_at timestamp(0),
    updated_at timestamp(0),
    cancelled_at timestamp(0),
    deleted_at timestamp(0)
);
CREATE INDEX course_sessions_scheduled_at_index ON course_sessions (scheduled_at);

CREATE TABLE enrollments (
    id bigserial PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    course_id bigint NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    modality varchar(255) NOT NULL DEFAULT 'offline',
    online_access_url varchar(255),
    expires_at timestamp(0),
    status varchar(255) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'active', 'completed', 'expired', 'cancelled')),
    created_at timestamp(0),
    updated_at timestamp(0),
    deleted_at timestamp(0)
);
CREATE UNIQUE INDEX enrollments_user_id_course_id_unique ON enrollments (user_id, course_id);
CREATE INDEX enrollments_course_id_index ON enrollments (course_id);
