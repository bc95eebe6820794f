-- Two sessions whose reminders are due now, one for later today, one for tomorrow.
INSERT INTO courses (id, title, mode, default_meeting_url) VALUES
    (1, 'Matematika Dasar', 'online', 'https://meet.example.org/matematika'),
    (2, 'English Conversation', 'hybrid', 'https://meet.example.org/english');
INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, duration_minutes, location) VALUES
    (1, 1, 'Pecahan dan Desimal', NULL, '@60', 90, NULL),
    (2, 2, 'Small Talk', NULL, '@64', 60, 'Ruang 3, Jl. Merdeka 10, Bandung'),
    (3, 1, 'Persamaan Linear', NULL, '@180', 90, NULL),
    (4, 2, 'Job Interviews', 'offline', '@1440', 60, 'Ruang 3, Jl. Merdeka 10, Bandung');
INSERT INTO users (id, name, email, status, locale) VALUES
    (1, 'Budi Santoso', 'budi@example.org', 'active', 'id'),
    (2, 'Siti Rahma', 'siti@example.org', 'active', 'id'),
    (3, 'Emma Brown', 'emma@example.org', 'active', 'en'),
    (4, 'Dewi Lestari', 'dewi@example.org', 'active', NULL),
    (5, 'Agus Salim', 'agus@example.org', 'suspended', 'id');
INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in, timezone) VALUES
    (1, '0812-3456-7890', 1, NULL),
    (2, '+62 813 1111 2222', 0, NULL),
    (3, '+44 7400 123456', 1, 'Asia/Makassar');
INSERT INTO enrollments (user_id, course_id, status, modality) VALUES
    (1, 1, 'active', 'online'),
    (2, 1, 'active', 'online'),
    (3, 2, 'active', 'online'),
    (4, 2, 'active', 'offline'),
    (5, 1, 'active', 'online'),
    (4, 1, 'cancelled', 'online');
