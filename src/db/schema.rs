//! The tables and the two views, as Diesel sees them.

diesel::table! {
    /// The seam to the platform: one row per session × participant.
    session_participants (session_id, user_id) {
        session_id -> BigInt,
        course_id -> Nullable<BigInt>,
        session_title -> Nullable<Text>,
        course_title -> Nullable<Text>,
        scheduled_at -> Timestamp,
        duration_minutes -> Nullable<Integer>,
        mode -> Nullable<Text>,
        modality -> Nullable<Text>,
        meeting_url -> Nullable<Text>,
        location -> Nullable<Text>,
        user_id -> BigInt,
        name -> Nullable<Text>,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        whatsapp_opt_in -> Nullable<Bool>,
        timezone -> Nullable<Text>,
        locale -> Nullable<Text>,
    }
}

diesel::table! {
    /// Those who were told of a session that no longer takes place, one row per start told.
    session_cancellations (session_id, user_id) {
        session_id -> BigInt,
        course_id -> Nullable<BigInt>,
        session_title -> Nullable<Text>,
        course_title -> Nullable<Text>,
        scheduled_at -> Timestamp,
        duration_minutes -> Nullable<Integer>,
        mode -> Nullable<Text>,
        modality -> Nullable<Text>,
        meeting_url -> Nullable<Text>,
        location -> Nullable<Text>,
        user_id -> BigInt,
        name -> Nullable<Text>,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        whatsapp_opt_in -> Nullable<Bool>,
        timezone -> Nullable<Text>,
        locale -> Nullable<Text>,
    }
}

diesel::table! {
    /// The ledger. `scheduled_at` holds the platform's digits, all other times are UTC. `lead_minutes` of a correction
    /// is no lead but its number, -1, -2, … for the same session, user and channel: a session can be moved there and
    /// back.
    session_reminder_deliveries (id) {
        id -> BigInt,
        course_session_id -> BigInt,
        user_id -> BigInt,
        channel -> Text,
        kind -> Text,
        lead_minutes -> Integer,
        scheduled_at -> Timestamp,
        status -> Text,
        attempts -> Integer,
        next_attempt_at -> Nullable<Timestamp>,
        claimed_by -> Nullable<Text>,
        claimed_at -> Nullable<Timestamp>,
        lease_until -> Nullable<Timestamp>,
        rendered_at -> Nullable<Timestamp>,
        recipient -> Nullable<Text>,
        message_id -> Nullable<Text>,
        error_code -> Nullable<Text>,
        error -> Nullable<Text>,
        sent_at -> Nullable<Timestamp>,
        delivery_status -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    /// Laravel's log, one row per session, its times in the application's zone.
    session_reminder_logs (id) {
        id -> BigInt,
        course_session_id -> BigInt,
        sent_at -> Timestamp,
        recipients_count -> Integer,
        created_at -> Nullable<Timestamp>,
        updated_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    /// The platform's users, as far as `opt-in` looks at them.
    users (id) {
        id -> BigInt,
        email -> Nullable<Text>,
    }
}

diesel::table! {
    /// The only table of the platform that is ever written.
    user_profiles (id) {
        id -> BigInt,
        user_id -> BigInt,
        phone -> Nullable<Text>,
        whatsapp_opt_in -> Nullable<Bool>,
        created_at -> Nullable<Timestamp>,
        updated_at -> Nullable<Timestamp>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    session_participants,
    session_cancellations,
    session_reminder_deliveries,
    session_reminder_logs,
    users,
    user_profiles
);
