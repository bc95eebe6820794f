DROP TABLE enrollments;
DROP TABLE course_sessions;
DROP TABLE courses;
DROP TABLE user_profiles;
DROP TABLE users;
