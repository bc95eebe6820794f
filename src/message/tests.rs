use super::*;

pub fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn app() -> App {
    App {
        name: "Kursus Kita".to_string(),
        url: Some("https://kursus.example".to_string()),
        phone_region: "ID".to_string(),
    }
}

/// Budi's hybrid session, with everything that can be known about it.
pub fn participant() -> Participant {
    Participant {
        session_id: 7,
        user_id: 42,
        session_title: Some("Turunan dan Integral".to_string()),
        course_title: Some("Kalkulus".to_string()),
        scheduled_at: "2026-11-23 17:00:00".to_string(),
        duration_minutes: Some(90),
        mode: Some("hybrid".to_string()),
        meeting_url: Some("https://meet.example/abc?x=1&y=2".to_string()),
        location: Some("Ruang 3".to_string()),
        name: Some("Budi".to_string()),
        email: Some("budi@example.com".to_string()),
        phone: Some("+6281234567890".to_string()),
        whatsapp_opt_in: Some(true),
        timezone: None,
        locale: None,
    }
}

pub fn bare() -> Participant {
    Participant {
        session_title: None,
        course_title: None,
        duration_minutes: None,
        meeting_url: None,
        location: None,
        name: None,
        mode: None,
        ..participant()
    }
}

fn in_english(participant: Participant) -> Participant {
    Participant {
        locale: Some("en_GB".to_string()),
        ..participant
    }
}

/// Every text that somebody typed is `text`.
pub fn hostile(text: &str) -> Participant {
    let text = Some(text.to_string());
    Participant {
        session_title: text.clone(),
        course_title: text.clone().map(|text| format!("Course {text}")),
        mode: text.clone(),
        meeting_url: text.clone(),
        location: text.clone(),
        name: text.clone(),
        timezone: text.clone(),
        ..participant()
    }
}

fn renderer() -> Renderer {
    Renderer::new(&app(), Locale::Id, None, Tz::Asia__Jakarta).unwrap()
}

fn mail(participant: &Participant) -> MailMessage {
    let (start, now) = (utc("2026-11-23T10:00:00Z"), utc("2026-11-23T09:00:00Z"));
    renderer()
        .mail(News::Reminder, participant, start, now)
        .unwrap()
}

pub fn event(participant: &Participant) -> Event {
    mail(participant).event
}

fn whatsapp(participant: &Participant) -> WhatsappMessage {
    let (start, now) = (utc("2026-11-23T10:00:00Z"), utc("2026-11-23T09:00:00Z"));
    renderer()
        .whatsapp(News::Reminder, participant, start, now)
        .unwrap()
}

#[test]
fn a_full_mail_reads_well_in_indonesian() {
    let mail = mail(&participant());
    assert_eq!(
        mail.subject,
        "Pengingat: Sesi Turunan dan Integral akan dimulai dalam 1 jam"
    );
    assert_eq!(
        mail.text,
        "Halo Budi,\n\
         \n\
         Sesi kursus Anda akan dimulai dalam 1 jam.\n\
         \n\
         Sesi: Turunan dan Integral\n\
         Kursus: Kalkulus\n\
         Waktu: Senin, 23 November 2026 pukul 17.00 WIB\n\
         Durasi: 1 jam 30 menit\n\
         Lokasi: Ruang 3\n\
         \n\
         Bergabung ke sesi:\n\
         https://meet.example/abc?x=1&y=2\n\
         \n\
         Sampai jumpa di sesi!\n\
         Kursus Kita\n\
         https://kursus.example\n\
         \n\
         Email ini dikirim otomatis karena Anda terdaftar pada kursus ini.\n"
    );
}

#[test]
fn a_full_mail_reads_well_in_english() {
    let mail = mail(&in_english(participant()));
    assert_eq!(
        mail.subject,
        "Reminder: Turunan dan Integral starts in 1 hour"
    );
    assert_eq!(
        mail.text,
        "Hello Budi,\n\
         \n\
         Your course session starts in 1 hour.\n\
         \n\
         Session: Turunan dan Integral\n\
         Course: Kalkulus\n\
         Time: Monday, 23 November 2026, 17:00 WIB\n\
         Duration: 1 hour 30 minutes\n\
         Place: Ruang 3\n\
         \n\
         Join the session:\n\
         https://meet.example/abc?x=1&y=2\n\
         \n\
         See you there!\n\
         Kursus Kita\n\
         https://kursus.example\n\
         \n\
         This email was sent automatically because you are enrolled in this course.\n"
    );
}

#[test]
fn a_full_whatsapp_message_reads_well_in_indonesian() {
    let message = whatsapp(&participant());
    assert_eq!(
        message.body,
        "🔔 *Pengingat Sesi Kursus*\n\
         \n\
         Halo Budi,\n\
         sesi kursus Anda akan dimulai dalam *1 jam*.\n\
         \n\
         • Sesi: Turunan dan Integral\n\
         • Kursus: Kalkulus\n\
         • Waktu: Senin, 23 November 2026 pukul 17.00 WIB\n\
         • Durasi: 1 jam 30 menit\n\
         • Lokasi: Ruang 3\n\
         \n\
         🔗 Bergabung: https://meet.example/abc?x=1&y=2\n\
         \n\
         Sampai jumpa di sesi!\n\
         Kursus Kita"
    );
    let time = "Senin, 23 November 2026 pukul 17.00 WIB";
    let link = "https://meet.example/abc?x=1&y=2";
    assert_eq!(
        message.variables,
        ["Budi", "Turunan dan Integral", "Kalkulus", time, link]
    );
    assert_eq!(message.locale, Locale::Id);
}

#[test]
fn nothing_awkward_stands_where_a_piece_is_missing() {
    let mail_id = mail(&bare());
    assert_eq!(mail_id.subject, "Pengingat: Sesi akan dimulai dalam 1 jam");
    assert!(
        mail_id.text.starts_with(
            "Halo,\n\nSesi kursus Anda akan dimulai dalam 1 jam.\n\n\
             Waktu: Senin, 23 November 2026 pukul 17.00 WIB\n\nSampai jumpa di sesi!\n"
        ),
        "{}",
        mail_id.text
    );
    assert_eq!(
        mail(&in_english(bare())).subject,
        "Reminder: your session starts in 1 hour"
    );
    let message = whatsapp(&bare());
    assert!(
        message
            .body
            .contains("1 jam*.\n\n• Waktu: Senin, 23 November 2026 pukul 17.00 WIB\n\nSampai")
    );
    assert_eq!(
        message.variables,
        [
            "-",
            "-",
            "-",
            "Senin, 23 November 2026 pukul 17.00 WIB",
            "-"
        ]
    );
    for text in [mail_id.text, mail_id.html, message.body] {
        assert!(
            !text.contains("one") && !text.contains("undefined") && !text.contains("href=\"\""),
            "{text}"
        );
    }
}

#[test]
fn a_title_that_says_sesi_itself_does_not_say_it_twice() {
    let mut person = participant();
    person.session_title = Some("Sesi 3: Limit".to_string());
    assert_eq!(
        mail(&person).subject,
        "Pengingat: Sesi 3: Limit akan dimulai dalam 1 jam"
    );
}

#[test]
fn a_title_common_to_session_and_course_is_said_once() {
    let mut person = participant();
    person.session_title = person.course_title.clone();
    assert_eq!(mail(&person).text.matches("Kalkulus").count(), 1);
    assert_eq!(mail(&person).html.matches("Kalkulus").count(), 1);
    let message = whatsapp(&person);
    assert_eq!(message.body.matches("Kalkulus").count(), 1);
    assert_eq!(message.variables[1..3], ["Kalkulus", "Kalkulus"]);
}

#[test]
fn the_remaining_time_is_the_true_one() {
    let start = utc("2026-11-23T10:00:00Z");
    let cases = [
        (57, "57 menit"),
        (62, "1 jam 2 menit"),
        (1440, "1 hari"),
        (0, "kurang dari 1 menit"),
    ];
    for (minutes, expected) in cases {
        let mail = renderer()
            .mail(
                News::Reminder,
                &participant(),
                start,
                start - chrono::Duration::minutes(minutes),
            )
            .unwrap();
        assert!(
            mail.subject
                .ends_with(&format!("akan dimulai dalam {expected}")),
            "{}",
            mail.subject
        );
    }
}

#[test]
fn the_last_variable_is_the_link_or_the_place() {
    let cases = [
        ("online", "https://meet.example/abc?x=1&y=2"),
        ("offline", "Ruang 3"),
        ("hybrid", "https://meet.example/abc?x=1&y=2"),
    ];
    for (mode, expected) in cases {
        let mut person = participant();
        person.mode = Some(mode.to_string());
        assert_eq!(whatsapp(&person).variables[4], expected, "{mode}");
    }
    let mut person = participant();
    person.meeting_url = Some(format!("https://meet.example/{}", "x".repeat(400)));
    assert_eq!(whatsapp(&person).variables[4], "Ruang 3");
}

const HOSTILE: [&str; 14] = [
    "",
    " \t\r\n ",
    "Title\r\nBcc: everyone@example.com\r\n\r\nbody",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\0\u{7f}",
    "\"quoted\" 'single' \\ back",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"><a href=\"https://evil.example\">click</a>",
    "{{ 7 * 7 }} {% raw %} {# x #} {{ app_url }}",
    "👩‍👩‍👧 🇮🇩 👍🏽",
    "محاضرة الرياضيات ١",
    "\u{202e}evil\u{202c} \u{2066}x\u{2069}",
    "javascript:alert(1)",
    "*bold* _italic_ ~struck~ ```block```",
    "line\u{2028}separator\u{2029}paragraph\u{85}next",
];

fn messages_of(text: &str) -> [(MailMessage, WhatsappMessage); 2] {
    [hostile(text), in_english(hostile(text))].map(|person| (mail(&person), whatsapp(&person)))
}

#[test]
fn no_control_character_survives_in_any_text() {
    let acts = |c: char| {
        c.is_control() && c != '\n'
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    for text in HOSTILE {
        for (mail, whatsapp) in messages_of(text) {
            let one_liners = whatsapp.variables.iter().chain([&mail.subject]);
            for line in one_liners {
                assert!(
                    !line.contains(|c| acts(c) || c == '\n')
                        && !line.contains("  ")
                        && !line.is_empty(),
                    "{line:?}"
                );
            }
            for lines in [&mail.text, &mail.html, &whatsapp.body] {
                assert!(!lines.contains(acts), "{lines:?}");
            }
            assert!(!mail.text.contains("\nBcc:") && !whatsapp.body.contains("\nBcc:"));
        }
    }
}

#[test]
fn markup_in_a_title_is_text_in_html() {
    for text in HOSTILE {
        for (mail, _) in messages_of(text) {
            for forbidden in ["<script", "<img", "evil.example\">", "href=\"javascript"] {
                assert!(
                    !mail.html.contains(forbidden),
                    "{forbidden} in {}",
                    mail.html
                );
            }
        }
    }
    let html = mail(&hostile("<b> & \"x\"")).html;
    assert!(
        html.contains("&lt;b&gt; &amp; &quot;x&quot;</h1>"),
        "{html}"
    );
}

#[test]
fn markup_in_a_title_stands_as_it_is_in_plain_text() {
    let mail = mail(&hostile("Tom & \"Jerry\" <3"));
    assert_eq!(
        mail.subject,
        "Pengingat: Sesi Tom & \"Jerry\" <3 akan dimulai dalam 1 jam"
    );
    assert!(mail.text.contains("Sesi: Tom & \"Jerry\" <3\n"));
}

#[test]
fn a_title_in_template_syntax_is_not_evaluated() {
    let mail = mail(&hostile("{{ 7 * 7 }}{% if %}"));
    assert_eq!(
        mail.subject,
        "Pengingat: Sesi {{ 7 * 7 }}{% if %} akan dimulai dalam 1 jam"
    );
}

#[test]
fn emoji_and_right_to_left_text_survive() {
    for text in ["👩‍👩‍👧 🇮🇩 👍🏽", "محاضرة الرياضيات ١", "שיעור חשבון"]
    {
        for (mail, whatsapp) in messages_of(text) {
            for message in [
                mail.subject,
                mail.text,
                mail.html,
                whatsapp.body,
                whatsapp.variables.join(" "),
            ] {
                assert!(message.contains(text), "{message}");
            }
        }
    }
}

#[test]
fn ten_thousand_characters_leave_time_and_link_readable() {
    for filler in ["x", "é ", "👍"] {
        let mut person = hostile(&filler.repeat(10_000));
        person.mode = None;
        person.meeting_url = Some(format!("https://meet.example/{}", "y".repeat(900)));
        let (mail, whatsapp) = (mail(&person), whatsapp(&person));
        assert!(
            mail.subject.ends_with("… akan dimulai dalam 1 jam"),
            "{}",
            mail.subject
        );
        assert!(mail.subject.chars().count() <= 200);
        assert!(whatsapp.body.chars().count() <= 1_600);
        for part in [
            "23 November 2026 pukul 17.00 WIB\n",
            "yyy\n",
            "\nKursus Kita",
        ] {
            assert!(
                whatsapp.body.contains(part),
                "{part} is not in {}",
                whatsapp.body
            );
        }
        assert!(whatsapp.variables.concat().chars().count() <= 850);
        assert!(mail.html.len() < 12_000, "{}", mail.html.len());
    }
}

#[test]
fn a_link_too_long_for_whatsapp_is_left_out_there_only() {
    let mut person = participant();
    person.meeting_url = Some(format!("https://meet.example/{}", "y".repeat(1_900)));
    assert!(!whatsapp(&person).body.contains("meet.example"));
    assert!(mail(&person).text.contains("meet.example"));
}

#[test]
fn a_backtick_cannot_open_a_block_in_whatsapp() {
    let message = whatsapp(&hostile("```read_csv"));
    assert!(!message.body.contains("```"), "{}", message.body);
    assert!(
        message.body.contains("Sesi: '''read_csv"),
        "{}",
        message.body
    );
}

#[test]
fn only_a_web_address_becomes_a_button() {
    let button = "<a href=\"https:&#x2f;&#x2f;meet.example&#x2f;abc?x=1&amp;y=2\"";
    assert!(mail(&participant()).html.contains(button));
    for link in ["javascript:alert(1)", "Zoom 123 456", "meet.example/abc"] {
        let mut person = participant();
        person.meeting_url = Some(link.to_string());
        let html = mail(&person).html;
        assert_eq!(
            html.matches("href=").count(),
            1,
            "only the footer links: {html}"
        );
        assert!(html.contains("<bdi>"), "{html}");
    }
}

#[test]
fn the_html_is_small_and_loads_nothing() {
    for person in [participant(), in_english(participant())] {
        let html = mail(&person).html;
        assert!(html.len() < 4_500, "{}", html.len());
        for remote in ["<img", "<link", "url(", "@import", "<script", "src="] {
            assert!(!html.contains(remote), "{remote}");
        }
    }
    assert!(mail(&participant()).html.contains("<html lang=\"id\">"));
    assert!(
        mail(&in_english(participant()))
            .html
            .contains("<html lang=\"en\">")
    );
}

#[test]
fn a_file_of_the_folder_replaces_one_template_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("id")).unwrap();
    std::fs::write(
        folder.path().join("id/mail.subject.txt"),
        "{{ course }}:\n{{ session }}\n",
    )
    .unwrap();
    let renderer =
        Renderer::new(&app(), Locale::Id, Some(folder.path()), Tz::Asia__Jakarta).unwrap();
    let (start, now) = (utc("2026-11-23T10:00:00Z"), utc("2026-11-23T09:00:00Z"));
    let replaced = renderer
        .mail(News::Reminder, &participant(), start, now)
        .unwrap();
    assert_eq!(replaced.subject, "Kalkulus: Turunan dan Integral");
    assert_eq!(replaced.text, mail(&participant()).text);
    let english = renderer
        .mail(News::Reminder, &in_english(participant()), start, now)
        .unwrap();
    assert_eq!(
        english.subject,
        "Reminder: Turunan dan Integral starts in 1 hour"
    );
}

#[test]
fn a_broken_template_fails_only_the_messages_that_need_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("id")).unwrap();
    std::fs::write(folder.path().join("id/whatsapp.txt"), "Halo\n{{ nama }}").unwrap();
    let renderer =
        Renderer::new(&app(), Locale::Id, Some(folder.path()), Tz::Asia__Jakarta).unwrap();
    let now = utc("2026-11-23T10:00:00Z");
    assert!(
        renderer
            .mail(News::Reminder, &participant(), now, now)
            .is_ok()
    );
    assert!(
        renderer
            .whatsapp(News::Reminder, &in_english(participant()), now, now)
            .is_ok()
    );
    let error = renderer
        .whatsapp(News::Reminder, &participant(), now, now)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("id/whatsapp.txt:2: undefined value"),
        "{error}"
    );
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error() {
    let result = Renderer::new(
        &app(),
        Locale::Id,
        Some(Path::new("/no/such/folder")),
        Tz::UTC,
    );
    assert!(format!("{:#}", result.err().unwrap()).contains("/no/such/folder"));
}

pub fn told(news: News, participant: &Participant) -> (MailMessage, WhatsappMessage) {
    let (start, now) = (utc("2026-11-24T02:30:00Z"), utc("2026-11-23T09:00:00Z"));
    let mail = renderer().mail(news, participant, start, now).unwrap();
    let whatsapp = renderer().whatsapp(news, participant, start, now).unwrap();
    (mail, whatsapp)
}

const MOVED: News = News::Moved {
    from: Some(DateTime::from_timestamp(1_795_428_000, 0).unwrap()),
};

#[test]
fn a_moved_session_is_told_with_both_starts() {
    let (mail, whatsapp) = told(MOVED, &participant());
    assert_eq!(
        mail.subject,
        "Jadwal berubah: Turunan dan Integral, Selasa, 24 November 2026 pukul 09.30 WIB"
    );
    assert!(
        mail.text.starts_with(
            "Halo Budi,\n\
             \n\
             Jadwal sesi kursus Anda berubah.\n\
             \n\
             Sesi: Turunan dan Integral\n\
             Kursus: Kalkulus\n\
             Waktu baru: Selasa, 24 November 2026 pukul 09.30 WIB\n\
             Waktu lama: Senin, 23 November 2026 pukul 17.00 WIB\n\
             Durasi: 1 jam 30 menit\n\
             Lokasi: Ruang 3\n\
             \n\
             Bergabung ke sesi:\n\
             https://meet.example/abc?x=1&y=2\n"
        ),
        "{}",
        mail.text
    );
    assert!(
        mail.html
            .contains("<s>Senin, 23 November 2026 pukul 17.00 WIB</s>")
    );
    assert!(
        whatsapp.body.starts_with(
            "🔔 *Perubahan Jadwal Sesi*\n\nHalo Budi,\njadwal sesi kursus Anda berubah."
        )
    );
    assert_eq!(
        whatsapp.variables[3],
        "Selasa, 24 November 2026 pukul 09.30 WIB"
    );

    let (mail, whatsapp) = told(MOVED, &in_english(participant()));
    assert_eq!(
        mail.subject,
        "Moved: Turunan dan Integral, Tuesday, 24 November 2026, 09:30 WIB"
    );
    assert!(mail.text.contains("\nNew time: Tuesday, 24 November 2026, 09:30 WIB\nOld time: Monday, 23 November 2026, 17:00 WIB\n"), "{}", mail.text);
    assert!(
        whatsapp
            .body
            .contains("\n• Old time: Monday, 23 November 2026, 17:00 WIB\n"),
        "{}",
        whatsapp.body
    );
}

#[test]
fn a_session_that_takes_place_after_all_is_told_without_an_old_start() {
    let (mail, whatsapp) = told(News::Moved { from: None }, &participant());
    assert!(
        mail.subject
            .starts_with("Tetap diadakan: Turunan dan Integral, ")
    );
    assert!(mail.text.contains("Sesi kursus Anda tetap diadakan.") && !mail.text.contains("lama"));
    assert!(!mail.html.contains("<s>"));
    assert!(whatsapp.body.contains("sesi kursus Anda tetap diadakan."));
}

#[test]
fn a_cancelled_session_is_told_without_a_place_to_go() {
    let (mail, whatsapp) = told(News::Cancelled, &participant());
    assert_eq!(
        mail.subject,
        "Dibatalkan: Turunan dan Integral, Selasa, 24 November 2026 pukul 09.30 WIB"
    );
    for text in [&mail.text, &mail.html, &whatsapp.body] {
        assert!(text.contains("24 November 2026 pukul 09.30 WIB"), "{text}");
        assert!(
            !text.contains("meet.example") && !text.contains("Ruang 3"),
            "{text}"
        );
    }
    assert_eq!(whatsapp.variables[4], "-");
    let (mail, _) = told(News::Cancelled, &in_english(participant()));
    assert!(
        mail.text
            .contains("Your course session has been cancelled.\n\nSession: Turunan dan Integral\n")
    );
}

#[test]
fn a_deleted_session_is_told_by_its_start_alone() {
    let nameless = Participant {
        session_title: None,
        course_title: None,
        ..participant()
    };
    let (mail, whatsapp) = told(News::Cancelled, &nameless);
    assert_eq!(
        mail.subject,
        "Dibatalkan: sesi Anda, Selasa, 24 November 2026 pukul 09.30 WIB"
    );
    assert!(
        mail.text
            .contains("Sesi kursus Anda dibatalkan.\n\nJadwal semula: Selasa"),
        "{}",
        mail.text
    );
    assert_eq!(whatsapp.variables[1], "-");
}
