//! `senders`: whose deliveries are kept without a lead.

use anyhow::anyhow;
use leadgate_core::senders::{IgnoredSender, Sender};
use leadgate_core::views::{ContactDetail, LeadDetail};

use super::args::Senders;
use super::gate::Gate;
use super::story;
use crate::print;

/// Runs `senders`.
pub(super) async fn command(gate: &Gate, command: Option<Senders>) -> anyhow::Result<()> {
    match command.unwrap_or(Senders::List) {
        Senders::List => list(gate).await,
        Senders::Ignore { senders } => ignore(gate, &joined(&senders)).await,
        Senders::Forget { sender } => {
            let writer = gate.writer().await?;
            let sender = read(gate, &sender)?;
            let gone = writer.forget_sender(&sender).await;
            writer.close().await;
            if gate.json() {
                return Ok(print::json(&serde_json::json!({ "kind": sender.kind, "value": sender.value, "forgotten": gone? }))?);
            }
            let words = if gone? { "is taken as any other from now on" } else { "was not ignored" };
            Ok(print::line(&format!("The {sender} {words}."))?)
        }
    }
}

fn read(gate: &Gate, typed: &str) -> anyhow::Result<Sender> {
    Sender::read(typed, Some(gate.config.company.country)).map_err(|words| anyhow!(words))
}

/// A phone may be typed with blanks: pieces of digits belong together.
fn joined(typed: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let is_piece = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '(' | ')' | '-'));
    let is_phone = |text: &str| text.starts_with('+') && !text.chars().any(char::is_alphabetic);
    for one in typed {
        match out.last_mut() {
            Some(last) if is_piece(one) && is_phone(last) => {
                last.push(' ');
                last.push_str(one);
            }
            _ => out.push(one.clone()),
        }
    }
    out
}

async fn ignore(gate: &Gate, typed: &[String]) -> anyhow::Result<()> {
    // All of them make sense, or nothing is done.
    let senders = typed.iter().map(|typed| read(gate, typed)).collect::<anyhow::Result<Vec<_>>>()?;
    let told = ignored(gate, &senders).await?;
    if gate.json() {
        let told: Vec<_> = told
            .iter()
            .map(|(sender, new)| serde_json::json!({ "kind": sender.kind, "value": sender.value, "new": new }))
            .collect();
        return Ok(print::json(&told)?);
    }
    Ok(print::out(&lines(&told))?)
}

/// Ignores senders; says which of them were not ignored before.
async fn ignored(gate: &Gate, senders: &[Sender]) -> anyhow::Result<Vec<(Sender, bool)>> {
    let writer = gate.writer().await?;
    let mut told = Vec::with_capacity(senders.len());
    for sender in senders {
        told.push((sender.clone(), writer.ignore_sender(sender).await?));
    }
    writer.close().await;
    Ok(told)
}

fn lines(told: &[(Sender, bool)]) -> String {
    let mut text = print::Text::default();
    for (sender, new) in told {
        let words = if *new { "is ignored from now on: what comes is kept, and makes no lead" } else { "was ignored before" };
        text.line(format!("The {sender} {words}."));
    }
    text.finish()
}

/// Ignores whoever is behind a lead.
pub(super) async fn ignore_behind(gate: &Gate, lead: &LeadDetail) -> anyhow::Result<String> {
    let senders = lead.person.as_ref().map(behind).unwrap_or_default();
    if senders.is_empty() {
        return Ok("Nobody is ignored: nothing on the lead says who it is from.\n".to_owned());
    }
    Ok(lines(&ignored(gate, &senders).await?))
}

fn without_extension(value: &str) -> &str {
    value.split(';').next().unwrap_or(value)
}

fn behind(person: &ContactDetail) -> Vec<Sender> {
    let canonical = person.identities.iter().filter(|identity| matches!(identity.kind.as_str(), "phone" | "email"));
    let mut senders: Vec<Sender> =
        canonical.filter_map(|identity| Sender::read(without_extension(&identity.value), None).ok()).collect();
    senders.sort();
    senders.dedup();
    senders
}

async fn list(gate: &Gate) -> anyhow::Result<()> {
    let senders: Vec<IgnoredSender> = gate.reader().await?.ignored_senders().await?;
    if gate.json() {
        return Ok(print::json(&senders)?);
    }
    if senders.is_empty() {
        return Ok(print::line("No sender is ignored.")?);
    }
    let rows: Vec<_> = senders
        .iter()
        .map(|one| {
            let kind = one.sender.kind.as_str().to_owned();
            vec![kind, print::safe(&one.sender.value), story::time(one.at, gate.zone()), print::safe(&one.actor)]
        })
        .collect();
    Ok(print::out(&print::table(&["kind", "sender", "since", "by"], &rows, &[]))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_typed_with_blanks_is_one() {
        let typed = |words: &str| joined(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(typed("+7 916 123-45-67 a@b.ru c.ru"), ["+7 916 123-45-67", "a@b.ru", "c.ru"]);
        assert_eq!(typed("89161234567 89161234568"), ["89161234567", "89161234568"]);
    }
}
