//! The links of WhatsApp, against a server in Twilio's place.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{lines, says};
use crate::{
    support::Platform,
    twilio::{ACCOUNT, ACCOUNT_SID, AUTH_TOKEN, TEMPLATE, Twilio},
};

const SENDERS: &str = "/v2/Channels/Senders";

fn sid() -> String {
    format!("HX{:032x}", 1)
}

fn platform(twilio: &Twilio) -> Platform {
    Platform::untouched()
        .whatsapp(twilio)
        .set("TWILIO_WHATSAPP_CONTENT_SID", &sid())
}

fn check(platform: &Platform) -> String {
    platform.run(&["check"]).stdout
}

/// WhatsApp's word on the template, and the template's text.
fn template(twilio: &Twilio, approval: Value, text: &str) {
    let path = format!("/v1/Content/{}", sid());
    let types = json!({"twilio/text": {"body": text}});
    twilio.answer(&path, 200, json!({"sid": sid(), "types": types}));
    let path = format!("{path}/ApprovalRequests");
    twilio.answer(&path, 200, json!({"sid": sid(), "whatsapp": approval}));
}

#[test]
fn account_sender_and_template_are_asked_for_and_nothing_is_sent() {
    let twilio = Twilio::start();
    let report = check(&platform(&twilio));
    says(&report, "twilio", "ok", "the account is active");
    says(&report, "sender", "ok", "+14155550100");
    says(
        &report,
        "template",
        "ok",
        "TWILIO_WHATSAPP_CONTENT_SID is approved",
    );
    assert_eq!(twilio.posts(), 0);
    assert_eq!(twilio.looks(), 4);
    assert!(
        !report.contains(AUTH_TOKEN) && !report.contains(ACCOUNT_SID),
        "{report}"
    );
}

#[test]
fn offline_twilio_is_not_asked() {
    let twilio = Twilio::start();
    let run = platform(&twilio).run(&["check", "--offline"]);
    says(&run.stdout, "twilio", "ok", "was not asked");
    assert_eq!(twilio.connections(), 0);
}

#[test]
fn wrong_credentials_fail_and_ask_no_further() {
    let twilio = Twilio::start();
    let platform = Platform::seed()
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", "mails")
        .whatsapp(&twilio)
        .set("TWILIO_AUTH_TOKEN", "not-the-token");
    let run = platform.run(&["check"]).exits(1);
    says(
        &run.stdout,
        "twilio",
        "FAIL",
        "check TWILIO_SID and TWILIO_AUTH_TOKEN",
    );
    says(&run.stdout, "sender", "warn", "was not asked for");
    assert_eq!(twilio.looks(), 1);
    assert!(!run.stdout.contains("not-the-token"), "{}", run.stdout);
}

#[test]
fn an_account_that_cannot_send_says_why() {
    let twilio = Twilio::start();
    let platform = platform(&twilio);
    for (body, verdict, words) in [
        (
            json!({"status": "suspended", "type": "Full"}),
            "FAIL",
            "suspended",
        ),
        (
            json!({"status": "active", "type": "Trial"}),
            "warn",
            "trial account",
        ),
        (
            json!({"status": null, "type": null}),
            "FAIL",
            "Twilio console",
        ),
        (json!(["no account"]), "FAIL", "TWILIO_API_BASE"),
    ] {
        twilio.answer(ACCOUNT, 200, body);
        says(&check(&platform), "twilio", verdict, words);
    }
    for (status, words) in [
        (404, "TWILIO_SID"),
        (503, "cannot answer now"),
        (301, "TWILIO_API_BASE"),
    ] {
        twilio.answer(ACCOUNT, status, json!({}));
        says(&check(&platform), "twilio", "FAIL", words);
    }
}

#[test]
fn twilio_that_is_not_there_says_what_to_check() {
    let twilio = Twilio::start();
    let platform = platform(&twilio);
    drop(twilio);
    says(&check(&platform), "twilio", "FAIL", "check the network");
}

#[test]
fn twilio_that_does_not_answer_is_given_up_soon() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    let platform = platform(&Twilio::start()).set("TWILIO_API_BASE", &base);
    says(&check(&platform), "twilio", "FAIL", "timeout");
}

#[test]
fn the_sandbox_is_for_trying_only() {
    let twilio = Twilio::start();
    let platform = Platform::untouched()
        .whatsapp(&twilio)
        .set("TWILIO_WHATSAPP_FROM", "whatsapp:+14155238886");
    let report = check(&platform);
    says(&report, "sender", "warn", "for trying only");
    says(&report, "template", "ok", "sandbox");
}

#[test]
fn a_sender_that_is_not_the_accounts_or_not_online_is_told() {
    let twilio = Twilio::start();
    let platform = platform(&twilio);
    let listed = |number: &str, status: &str| json!({"senders": [{"sender_id": format!("whatsapp:{number}"), "status": status}]});
    for (status, body, verdict, words) in [
        (
            200,
            listed("+14155550177", "ONLINE"),
            "warn",
            "TWILIO_WHATSAPP_FROM",
        ),
        (200, listed("+14155550100", "OFFLINE"), "FAIL", "is OFFLINE"),
        (
            200,
            listed("+14155550100", "ONLINE:UPDATING"),
            "ok",
            "online",
        ),
        (404, json!({}), "warn", "cannot be asked for"),
    ] {
        twilio.answer(SENDERS, status, body);
        says(&check(&platform), "sender", verdict, words);
    }
}

#[test]
fn a_template_that_whatsapp_has_not_approved_fails() {
    let twilio = Twilio::start();
    let platform = platform(&twilio);
    for (approval, verdict, words) in [
        (json!(null), "FAIL", "was not submitted"),
        (json!({"status": "pending"}), "FAIL", "wait"),
        (
            json!({"status": "rejected", "rejection_reason": "Too short"}),
            "FAIL",
            "rejected (Too short)",
        ),
        (
            json!({"status": "paused", "rejection_reason": null}),
            "FAIL",
            "is paused",
        ),
        (
            json!({"status": "approved", "category": "MARKETING"}),
            "warn",
            "UTILITY",
        ),
        (
            json!({"status": "approved", "category": "UTILITY"}),
            "ok",
            "approved",
        ),
    ] {
        template(&twilio, approval, TEMPLATE);
        says(&check(&platform), "template", verdict, words);
    }
    twilio.answer(
        &format!("/v1/Content/{}", sid()),
        404,
        json!({"code": 20404}),
    );
    says(&check(&platform), "template", "FAIL", "no such template");
}

#[test]
fn a_template_with_other_variables_than_ours_fails() {
    let twilio = Twilio::start();
    let platform = platform(&twilio);
    let approved = || json!({"status": "approved"});
    template(&twilio, approved(), "Halo {{1}}, sesi {{2}} dimulai {{4}}.");
    says(&check(&platform), "template", "FAIL", "lacks {{3}}, {{5}}");
    template(&twilio, approved(), &format!("{TEMPLATE} Kode: {{{{6}}}}."));
    says(&check(&platform), "template", "FAIL", "has {{6}}");
}

/// The template's text in another language.
fn in_language(twilio: &Twilio, language: Value) {
    let types = json!({"twilio/text": {"body": TEMPLATE}});
    let content = json!({"sid": sid(), "types": types, "language": language});
    twilio.answer(&format!("/v1/Content/{}", sid()), 200, content);
}

#[test]
fn a_template_in_another_language_than_its_readers_is_told() {
    let twilio = Twilio::start();
    let english = Platform::untouched()
        .whatsapp(&twilio)
        .set("TWILIO_WHATSAPP_CONTENT_SID_EN", &sid());
    let words = "TWILIO_WHATSAPP_CONTENT_SID_EN is a template in \"id\", and goes to those whose language is \"en\"";
    says(&check(&english), "template", "warn", words);
    for language in [json!("en"), json!("en_GB"), json!(null)] {
        in_language(&twilio, language);
        let approved = "TWILIO_WHATSAPP_CONTENT_SID_EN is approved";
        says(&check(&english), "template", "ok", approved);
    }
}

#[test]
fn the_template_for_all_is_held_against_reminder_locale() {
    let twilio = Twilio::start();
    let platform = platform(&twilio);
    says(&check(&platform), "template", "ok", "is approved");
    let platform = platform.set("REMINDER_LOCALE", "en");
    let words = "TWILIO_WHATSAPP_CONTENT_SID is a template in \"id\"";
    says(&check(&platform), "template", "warn", words);
    in_language(&twilio, json!("en_US"));
    says(&check(&platform), "template", "ok", "is approved");
    let platform = platform.set("REMINDER_LOCALE", "id");
    says(&check(&platform), "template", "warn", "in \"en_US\"");
}

#[test]
fn each_template_is_told_by_its_variable_and_none_is_a_warning() {
    let twilio = Twilio::start();
    let platform = Platform::untouched().whatsapp(&twilio);
    says(
        &check(&platform),
        "template",
        "warn",
        "set TWILIO_WHATSAPP_CONTENT_SID",
    );
    let platform = platform
        .set("TWILIO_WHATSAPP_CONTENT_SID_ID", &sid())
        .set("TWILIO_WHATSAPP_CONTENT_SID_EN", &sid())
        .set("TWILIO_WHATSAPP_CONTENT_SID_MOVED", &sid());
    let report = check(&platform);
    let told = lines(&report, "template");
    assert_eq!(told.len(), 2, "{report}");
    assert!(told[0].contains("CONTENT_SID_ID") && told[1].contains("CONTENT_SID_EN"));
    let report = check(&platform.set("REMINDER_CORRECTIONS", "on"));
    assert_eq!(lines(&report, "template").len(), 3, "{report}");
}

#[test]
fn a_folder_of_messages_is_tried_out() {
    let platform = Platform::untouched()
        .set("WHATSAPP_TRANSPORT", "file")
        .set("WHATSAPP_FILE_DIR", "messages");
    says(&check(&platform), "twilio", "ok", "messages");
    std::fs::write(platform.path("messages"), "in the way").unwrap();
    says(&check(&platform), "twilio", "FAIL", "cannot write into");
}
