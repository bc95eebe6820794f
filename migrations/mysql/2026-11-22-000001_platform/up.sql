-- The platform's tables, as its Laravel migrations make them, with every optional column that a reminder can use.
-- Only run on an empty database: on a platform's own database these tables are there already and belong to it.
CREATE TABLE IF NOT EXISTS users (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    email VARCHAR(255) NOT NULL,
    status VARCHAR(255) NOT NULL DEFAULT 'active',
    locale VARCHAR(16) NULL,
    created_at TIMESTAMP NULL,
    updated_at TIMESTAMP NULL,
    deleted_at TIMESTAMP NULL,
    UNIQUE KEY users_email_unique (email)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS user_profiles (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT UNSIGNED NOT NULL,
    phone VARCHAR(20) NULL,
    whatsapp_opt_in TINYINT(1) NOT NULL DEFAULT 0,
    timezone VARCHAR(64) NULL,
    locale VARCHAR(16) NULL,
    created_at TIMESTAMP NULL,
    updated_at TIMESTAMP NULL,
    KEY user_profiles_user_id_index (user_id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS courses (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    title VARCHAR(255) NOT NULL,
    mode VARCHAR(255) NULL,
    default_meeting_url VARCHAR(255) NULL,
    created_at TIMESTAMP NULL,
    updated_at TIMESTAMP NULL,
    deleted_at TIMESTAMP NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

-- DATETIME: a start is wall-clock time, and beyond 2038.
CREATE TABLE IF NOT EXISTS course_sessions (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    course_id BIGINT UNSIGNED NOT NULL,
    title VARCHAR(255) NULL,
    mode ENUM('online', 'offline', 'hybrid') NULL,
    scheduled_at DATETIME NOT NULL,
    duration_minutes INT UNSIGNED NOT NULL DEFAULT 90,
    meeting_url VARCHAR(255) NULL,
    location VARCHAR(255) NULL,
    status VARCHAR(255) NOT NULL DEFAULT 'scheduled',
    created_at TIMESTAMP NULL,
    updated_at TIMESTAMP NULL,
    cancelled_at DATETIME NULL,
    deleted_at TIMESTAMP NULL,
    KEY course_sessions_scheduled_at_index (scheduled_at),
    FOREIGN KEY (course_id) REFERENCES courses (id) ON DELETE CASCADE
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS enrollments (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT UNSIGNED NOT NULL,
    course_id BIGINT UNSIGNED NOT NULL,
    modality VARCHAR(255) NOT NULL DEFAULT 'offline',
    online_access_url VARCHAR(255) NULL,
    expires_at DATETIME NULL,
    status ENUM('pending', 'active', 'completed', 'expired', 'cancelled') NOT NULL DEFAULT 'pending',
    created_at TIMESTAMP NULL,
    updated_at TIMESTAMP NULL,
    deleted_at TIMESTAMP NULL,
    UNIQUE KEY enrollments_user_id_course_id_unique (user_id, course_id),
    KEY enrollments_course_id_index (course_id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (course_id) REFERENCES courses (id) ON DELETE CASCADE
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
