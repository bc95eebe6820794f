//! `preview`: the messages of one session to one participant, made by what makes them in a pass. Reads only.

mod scene;
mod shown;

use std::{fs, path::Path};

use anyhow::{Context, Result};
use chrono::{SubsecRound, Utc};
use log::error;

use self::{
    scene::Scene,
    shown::{Mail, Shown, Whatsapp},
};
use crate::{
    cli,
    commands::cause::unrenderable,
    config::{self, Config, Problem},
    db,
    exit::Exit,
    ledger::{Channel, Kind},
    mail,
    message::Renderer,
    output,
    pass::{correct, line},
};

pub fn run(config: &Config, args: &cli::Preview) -> Result<Exit> {
    let wants = |channel| args.channel.is_none_or(|only| only == channel);
    let now = args.now.unwrap_or_else(Utc::now).trunc_subsecs(0);
    let scene = match args.sample {
        true => Scene::made_up(config, args, now),
        false => Scene::find(&mut db::open(&config.database)?, config, args, now)?,
    };
    let folder = config.reminder.templates.as_deref();
    let locale = config.reminder.locale;
    let renderer = Renderer::new(&config.app, locale, folder, scene.zone.0)?;
    let mut shown = Shown::new(&scene);
    if scene.kind != Kind::Reminder && !config.reminder.corrections {
        let note = "corrections are off (REMINDER_CORRECTIONS): nobody is told this";
        shown.notes.push(note.to_owned());
    }
    if wants(Channel::Mail) {
        shown.mail = Some(mail(config, &renderer, &scene)?);
    }
    if wants(Channel::Whatsapp) {
        shown.whatsapp = Some(whatsapp(config, &renderer, &scene)?);
    }
    show(args, &shown)?;
    Ok(complain(config, wants))
}

fn mail(config: &Config, renderer: &Renderer, scene: &Scene) -> Result<Mail> {
    let to = &scene.participant;
    let message = renderer.mail(scene.mail, to, scene.start, scene.at);
    let message = message.map_err(unrenderable)?;
    let redirect = config.reminder.redirect_mail.as_deref();
    let mut shown = Mail::default();
    let recipient = line::recipient(Channel::Mail, to, config);
    shown.notes.extend(unused(&config.mail));
    match (&config.mail, recipient) {
        (config::Channel::On(mail), Ok(recipient)) => {
            let name = to.name.as_deref();
            let heads = mail::heads(redirect, &message, name, Some(&recipient));
            match heads.and_then(|heads| Ok((mail::Sender::new(mail)?, heads))) {
                Ok((sender, heads)) => {
                    let (event, session) = (&message.event, to.session_id);
                    let entry = mail::calendar_entry(event, &sender.from, session, scene.at);
                    shown.address(&sender, heads);
                    shown.calendar = Some(entry);
                }
                Err(fault) => shown.notes.push(format!("cannot be sent: {fault}")),
            }
        }
        (_, Ok(recipient)) => shown.to = Some(recipient),
        (_, Err(fault)) => shown.notes.push(format!("cannot be sent: {fault}")),
    }
    Ok(shown.with(message))
}

fn whatsapp(config: &Config, renderer: &Renderer, scene: &Scene) -> Result<Whatsapp> {
    let to = &scene.participant;
    let message = renderer.whatsapp(scene.whatsapp, to, scene.start, scene.at);
    let message = message.map_err(unrenderable)?;
    let mut shown = Whatsapp::default();
    shown.notes.extend(unused(&config.whatsapp));
    if !to.opted_in() {
        shown
            .notes
            .push("has not opted in: gets no WhatsApp message".to_owned());
    }
    if !correct::can_tell(config, Channel::Whatsapp, scene.kind) {
        shown
            .notes
            .push("no approved template for this kind: goes by mail alone".to_owned());
    }
    let recipient = line::recipient(Channel::Whatsapp, to, config);
    let recipient = recipient.map_err(|fault| shown.notes.push(format!("cannot be sent: {fault}")));
    let recipient = recipient.unwrap_or_default();
    match &config.whatsapp {
        config::Channel::On(whatsapp) => {
            let left = scene.start - scene.at;
            let request = line::request(whatsapp, config, scene.kind, &recipient, message, left);
            shown.ask(request);
        }
        _ => shown.body = Some(message.body),
    }
    Ok(shown)
}

/// Why nobody gets anything on a channel.
fn unused<T>(channel: &config::Channel<T>) -> Option<String> {
    match channel {
        config::Channel::On(_) => None,
        config::Channel::Off(why) => Some(format!("the channel is off ({why}): nobody gets this")),
        config::Channel::Broken(_) => {
            Some("the channel's settings are wrong: nobody gets this".to_owned())
        }
    }
}

fn show(args: &cli::Preview, shown: &Shown) -> Result<()> {
    if let (Some(path), Some(mail)) = (&args.html, &shown.mail) {
        if path == Path::new("-") {
            return output::line(&mail.html.trim_end());
        }
        fs::write(path, &mail.html)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    output::print(args.format, shown)
}

/// Says what is wrong with the settings of the channels that are looked at.
fn complain(config: &Config, wants: impl Fn(Channel) -> bool) -> Exit {
    let mut problems: Vec<&Problem> = Vec::new();
    if let (config::Channel::Broken(of_mail), true) = (&config.mail, wants(Channel::Mail)) {
        problems.extend(of_mail);
    }
    if let (config::Channel::Broken(of_it), true) = (&config.whatsapp, wants(Channel::Whatsapp)) {
        problems.extend(of_it);
    }
    for problem in &problems {
        error!("{problem}");
    }
    match problems.is_empty() {
        true => Exit::Ok,
        false => Exit::Config,
    }
}
