//! The HTML mails in a real browser: both languages, every kind, on a telephone and a desk, by day and by night.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::Command,
};

use url::form_urlencoded;

use crate::support::{NOW, Platform, START};

/// How the programs that can do this are called.
const BROWSERS: [&str; 2] = ["chromium", "google-chrome"];

/// A browser. Where there is none this is said past the test's captured output, and is a failure where
/// `REMINDERS_TEST_REQUIRE=all` asks for everything (and `REMINDERS_TEST_WITHOUT=browser` not for this).
fn browser() -> Option<&'static str> {
    let runs = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = BROWSERS.into_iter().find(runs);
    let missing = "no chromium (apt-get install chromium): the mails are not looked at";
    let is = |name: &str, wanted: &str| env::var(name).is_ok_and(|value| value == wanted);
    let required = is("REMINDERS_TEST_REQUIRE", "all") && !is("REMINDERS_TEST_WITHOUT", "browser");
    assert!(found.is_some() || !required, "{missing}");
    if found.is_none() {
        let _ = writeln!(io::stderr(), "SKIPPED: {missing}");
    }
    found
}

/// What is in the mails that are hardest to lay out.
struct Extremes {
    name: String,
    title: String,
    place: String,
    link: String,
}

fn extremes() -> Extremes {
    Extremes {
        name: format!("Budi{}", "i".repeat(90)),
        title: format!("Pecahan{}", "W".repeat(180)),
        place: format!("رياضيات متقدمة 👩‍👩‍👧 {}", "gedung".repeat(20)),
        link: format!("https://meet.example.org/{}", "x".repeat(200)),
    }
}

/// Session 1 has a link to click on, session 2 one that can only be read.
fn platform(extremes: &Extremes) -> Platform {
    let platform = Platform::seed()
        .set("APP_NAME", &"Kursus".repeat(16))
        .set("APP_URL", "https://kursus.example.org");
    platform.participant(1, &extremes.name, "budi@example.org");
    platform.sql("UPDATE courses SET title = 'Kalkulus <b>🎉</b> متقدمة'");
    for (id, before) in [(1, ""), (2, "Zoom: ")] {
        platform.session(id, START);
        let Extremes {
            title, place, link, ..
        } = extremes;
        platform.sql(&format!(
            "UPDATE course_sessions SET title = '{title}', location = '{place}', meeting_url = '{before}{link}',
               mode = 'hybrid', duration_minutes = 90 WHERE id = {id}"
        ));
    }
    platform
}

/// One mail, and what must be read in it.
struct Mail {
    name: String,
    html: String,
    texts: Vec<String>,
}

fn mail(platform: &Platform, extremes: &Extremes, locale: &str, kind: &str, session: &str) -> Mail {
    let arguments = [
        "preview", session, "1", "--now", NOW, "--kind", kind, "--html", "-",
    ];
    let run = platform.run_with(&[("REMINDER_LOCALE", locale)], &arguments);
    let words = match (locale, kind, session) {
        (_, "cancelled", _) => "",
        (_, _, "2") => &extremes.link,
        ("id", ..) => "Bergabung ke Sesi",
        _ => "Join the Session",
    };
    let place = if kind == "cancelled" {
        ""
    } else {
        &extremes.place
    };
    let time = if locale == "id" {
        "17.00 WIB"
    } else {
        "17:00 WIB"
    };
    let course = "Kalkulus <b>🎉</b> متقدمة";
    let texts = [&extremes.name, &extremes.title, course, place, time, words];
    Mail {
        name: format!("{locale}, {kind}, session {session}"),
        html: run.succeeds().stdout,
        texts: texts.map(str::to_owned).into(),
    }
}

/// All of them in frames of one page, which says what it sees.
fn page(frames: &[(&Mail, u32, &str)]) -> String {
    let frames = frames.iter().map(|(mail, width, scheme)| {
        let html = mail.html.replace('&', "&amp;").replace('"', "&quot;");
        format!(
            "<iframe style='border:0;width:{width}px;height:4000px;color-scheme:{scheme}' srcdoc=\"{html}\"></iframe>\n"
        )
    });
    let frames: String = frames.collect();
    let script = include_str!("browser/look.js");
    format!("<!doctype html><meta charset=utf-8><body>{frames}<script>{script}</script>")
}

/// What the page says.
fn look(browser: &str, folder: &Path, page: &str) -> serde_json::Value {
    let file = folder.join("page.html");
    fs::write(&file, page).unwrap();
    let output = Command::new(browser)
        // Without a sandbox, since it may be root who looks: at nothing but our own mails.
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let seen = dom
        .split("seen=")
        .last()
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let seen = form_urlencoded::parse(format!("seen={}", seen.trim()).as_bytes())
        .next()
        .map(|(_, seen)| seen.into_owned());
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&seen.unwrap()).unwrap_or_else(|error| panic!("{error}: {dom}\n{errors}"))
}

#[test]
fn every_mail_fits_its_screen_and_can_be_read_by_day_and_by_night() {
    let Some(browser) = browser() else { return };
    let extremes = extremes();
    let platform = platform(&extremes);
    let mut mails = Vec::new();
    for locale in ["id", "en"] {
        for kind in ["reminder", "moved", "cancelled"] {
            for session in ["1", "2"] {
                mails.push(mail(&platform, &extremes, locale, kind, session));
            }
        }
    }
    let mut frames = Vec::new();
    for mail in &mails {
        for width in [360, 800] {
            frames.extend([(mail, width, "light"), (mail, width, "dark")]);
        }
    }
    let seen = look(browser, &platform.path(""), &page(&frames));
    assert_eq!(seen.as_array().unwrap().len(), 48);
    for ((mail, width, scheme), seen) in frames.iter().zip(seen.as_array().unwrap()) {
        let which = format!("{}, {width} pixels, {scheme}", mail.name);
        assert_eq!(seen["inner"], *width, "{which}");
        assert!(
            seen["wide"].as_u64().unwrap() <= u64::from(*width),
            "{which}: {}",
            seen["wide"]
        );
        assert_eq!(seen["dark"], *scheme == "dark", "{which}");
        let ground = if *scheme == "dark" {
            "rgb(15, 23, 42)"
        } else {
            "rgb(241, 245, 249)"
        };
        assert_eq!(seen["ground"], ground, "{which}");
        assert_eq!(seen["faint"], serde_json::json!([]), "{which}");
        let text = seen["text"].as_str().unwrap();
        for wanted in &mail.texts {
            assert!(text.contains(wanted), "{which}: {wanted} in\n{text}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_mail_is_seen() {
    let Some(browser) = browser() else { return };
    let bad = |html: String| Mail {
        name: String::new(),
        html,
        texts: Vec::new(),
    };
    let wide = bad(format!("<p>{}</p>", "W".repeat(200)));
    let hidden = format!("<div style='overflow:hidden'>{}</div>", wide.html);
    let hidden = bad(format!("<div style='width:500px'>{hidden}</div>"));
    let faint = bad(
        "<meta name=color-scheme content='light dark'><body style='background:#fff'><p>pale</p>"
            .into(),
    );
    let gone = bad(
        "<body style='background:#fff'><p>here<span style='display:none'>not</span></p>".into(),
    );
    let frames = [
        (&wide, 360, "light"),
        (&hidden, 360, "light"),
        (&faint, 360, "dark"),
        (&gone, 360, "light"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let seen = look(browser, folder.path(), &page(&frames));
    assert!(seen[0]["wide"].as_u64().unwrap() > 1_000, "{seen}");
    assert!(seen[1]["wide"].as_u64().unwrap() > 360, "{seen}");
    assert_eq!(seen[2]["faint"], serde_json::json!(["pale"]));
    assert_eq!(seen[3]["text"], "here");
}
