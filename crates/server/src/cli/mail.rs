//! `mail test`.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{anyhow, bail};
use leadgate_core::onward::JobId;
use leadgate_core::ports::Finding;
use leadgate_outbound::mail::{Letter, LetterKind, Mailbox, Mailer, Settings};

use super::args::MailCommand;
use super::gate::Gate;
use crate::config::Language;
use crate::print;

/// Runs `mail`.
pub(super) async fn command(gate: &Gate, command: MailCommand) -> anyhow::Result<()> {
    let MailCommand::Test { to } = command;
    let Some(settings) = gate.config.onward.mail.clone() else {
        bail!("there is no [mail] in the configuration: set up the server that sends mails; `leadgate reference` says how");
    };
    let to = to.map(|to| Mailbox::read(&to)).transpose().map_err(|words| anyhow!(words))?;
    let findings: Mutex<Vec<Finding>> = Mutex::default();
    let json = gate.json();
    let tell = |finding: Finding| {
        if !json {
            let mark = if finding.ok { "ok  " } else { "FAIL" };
            // Told as it is found: connecting may take a while.
            if let Err(error) = print::line(&format!("{mark}  {}", print::safe(&finding.words))) {
                tracing::debug!(%error, "nobody reads what is found");
            }
        }
        findings.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    };
    let mailer = Mailer::new(Arc::new(settings));
    let mut works = mailer.test(&tell).await;
    if let Some(to) = to.filter(|_| works) {
        let address = to.email().to_owned();
        let outcome = mailer.send(&letter(gate, mailer.settings(), to)).await;
        works = outcome.is_ok();
        let words = match outcome {
            Ok(delivered) => {
                format!("{}: look whether it has come to {address}, and whether it was taken for spam", delivered.words)
            }
            Err(error) => error.to_string(),
        };
        tell(Finding { ok: works, words });
    }
    if json {
        print::json(&findings.into_inner().unwrap_or_else(PoisonError::into_inner))?;
    }
    if !works {
        bail!("[mail] does not work as it is configured");
    }
    Ok(())
}

fn letter(gate: &Gate, settings: &Settings, to: Mailbox) -> Letter {
    let company = &gate.config.company;
    let (subject, text) = match company.language {
        Language::Ru => ("Проверка почты Leadgate", "Это проверка: письма шлюза заявок доходят. Отвечать не нужно."),
        Language::En => {
            ("A test of Leadgate's mail", "This is a test: the mails of the lead gateway arrive. No answer is needed.")
        }
    };
    let heading = settings.heading(JobId(gate.clock.event().0), to, gate.clock.now());
    Letter {
        canary: None,
        from: heading.from,
        to: heading.to,
        reply_to: heading.reply_to,
        subject: subject.to_owned(),
        text: format!("{text}\n\n{}\n", company.name),
        html: None,
        files: Vec::new(),
        message_id: heading.message_id,
        in_reply_to: heading.in_reply_to,
        references: heading.references,
        envelope_from: heading.envelope_from,
        kind: LetterKind::Notice,
        date: heading.date,
    }
}
