//! `send`: a lead through the gateway's real front door, and what became of it.

use anyhow::{anyhow, bail};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ports::{Parsed, PathToken, Request};
use leadgate_core::submission::Purpose;
use leadgate_core::views::{PageAt, SubmissionDetail, SubmissionFilter};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::args::Send;
use super::gate::Gate;
use crate::config::Source;
use crate::print;
use crate::secrets::SourceTokens;

/// Runs `send`.
pub(super) async fn command(mut gate: Gate, send: Send) -> anyhow::Result<()> {
    let tokens = SourceTokens::load(&gate.config.data_dir)?;
    gate.config.add_tokens(&tokens);
    let api =
        gate.running().await?.ok_or_else(|| anyhow!("the gateway is not running: start it with `leadgate`, then send again"))?;
    let (began, mark) = gate.clock.stamped();
    let mark_text = mark.to_string();
    let fields = fields(&send, &mark_text);
    let source = choose(&gate, &send, &fields)?;
    let path = source
        .path()
        .ok_or_else(|| anyhow!("the URL of {} is made at the first start: start the gateway with `leadgate`", source.id))?;
    let (status, _) = api.form(&path, &fields).await?;
    if !(200..=399).contains(&status) {
        bail!(
            "the gateway answered {status} and took nothing. `leadgate sources` shows what was refused and why{}",
            if status == 404 { "; a 404 means that it does not know this URL: is it the gateway of another folder?" } else { "" }
        );
    }
    let Some(detail) = find(&gate, source, began, mark).await? else {
        bail!("the gateway took the lead (status {status}), but no delivery of it is found: does it use another database?");
    };
    if gate.json() {
        return Ok(print::json(&detail)?);
    }
    Ok(print::out(&told(source, &detail, send.real))?)
}

fn choose<'a>(gate: &'a Gate, send: &Send, fields: &[(&str, &str)]) -> anyhow::Result<&'a Source> {
    let sources = &gate.config.sources;
    let fits = |source: &Source| send.real || would_be_test(source, gate, fields);
    let takes = |source: &&Source| source.enabled && source.connector.mode.push().is_some();
    match &send.source {
        Some(id) => {
            let source = sources.iter().find(|source| source.id == *id);
            let source = source.ok_or_else(|| anyhow!("there is no source {id}; `leadgate sources` shows what there is"))?;
            if !takes(&source) {
                bail!("the source {id} takes nothing from a form: it is switched off, or the gateway asks it by itself");
            }
            if !fits(source) {
                bail!(
                    "a {} source has no mark for tests: what comes through it counts. Send it all the same with --real, and close it as junk",
                    source.kind.name
                );
            }
            Ok(source)
        }
        None => sources
            .iter()
            .filter(takes)
            .find(|source| fits(source))
            .ok_or_else(|| anyhow!("no source takes test forms: add one with `leadgate source new html_form`")),
    }
}

/// Whether the source would take this as a test. Decoding is pure: nothing is sent.
fn would_be_test(source: &Source, gate: &Gate, fields: &[(&str, &str)]) -> bool {
    let Some(push) = source.connector.mode.push() else { return false };
    let base = gate.config.base_url();
    let url = format!("{base}{}", source.path().unwrap_or_default());
    let body = Bytes::from(Serializer::new(String::new()).extend_pairs(fields).finish());
    let headers = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()), ("origin".to_owned(), base)];
    let (received_at, id) = gate.clock.submission();
    let request = Request {
        id,
        source: &source.id,
        method: "POST",
        url: &url,
        headers: &headers,
        body: &body,
        parts: None,
        peer: None,
        received_at,
        path_token: PathToken::Valid,
        rest: "",
    };
    match push.parse(&request) {
        Ok(Parsed::Submissions(made)) => !made.is_empty() && made.iter().all(|submission| submission.purpose == Purpose::Test),
        // A probe stores nothing, and a refusal will be told when it is sent.
        Ok(Parsed::Probe(_) | Parsed::Again(..)) | Err(_) => true,
        // What is marked as a test is taken without a captcha.
        Ok(Parsed::Ask(_) | Parsed::Who(_)) => false,
    }
}

fn fields<'a>(send: &'a Send, mark: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut fields = vec![("name", send.name.as_str()), ("phone", send.phone.as_str())];
    if let Some(email) = &send.email {
        fields.push(("email", email));
    }
    if let Some(message) = &send.message {
        fields.push(("message", message));
    }
    if !send.real {
        fields.push(("test", "1"));
    }
    fields.extend([("utm_source", "leadgate-send"), ("_id", mark)]);
    fields
}

/// The delivery that holds the mark. Others may have come in the same moment.
async fn find(gate: &Gate, source: &Source, began: Timestamp, mark: Uuid) -> anyhow::Result<Option<SubmissionDetail>> {
    let reader = gate.reader().await?;
    let filter = SubmissionFilter {
        sources: Some(vec![source.id.clone()]),
        // The gateway's clock may be another machine's.
        since: began.checked_sub(SignedDuration::from_mins(5)).ok(),
        ..SubmissionFilter::default()
    };
    let page = reader.submissions(filter, PageAt { after: None, limit: 50 }).await?;
    let mark = mark.to_string();
    for item in page.items {
        let raw = reader.raw(item.id).await?.unwrap_or_default();
        if String::from_utf8_lossy(&raw).contains(&mark) {
            return reader.submission(item.id).await;
        }
    }
    Ok(None)
}

fn told(source: &Source, detail: &SubmissionDetail, real: bool) -> String {
    let submission = &detail.submission;
    let kind = if real { "lead" } else { "test lead" };
    let mut text = print::Text::default();
    text.line(format!("Sent a {kind} through {}: {}", source.id, submission.outcome));
    for reason in &submission.reasons {
        text.line(format!("  - {}", print::safe(reason)));
    }
    text.line(match submission.lead {
        Some(lead) => format!("See it: leadgate leads show {lead}"),
        None => format!("See it: leadgate submissions show {}", submission.id),
    });
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_so_and_a_real_one_does_not() {
        let mut send = Send {
            source: None,
            name: "Анна".into(),
            phone: "+7 916 123-45-67".into(),
            email: Some("anna@mail.ru".into()),
            message: None,
            real: false,
        };
        assert!(fields(&send, "x").contains(&("test", "1")));
        send.real = true;
        assert!(!fields(&send, "x").iter().any(|(name, _)| *name == "test"));
        assert!(fields(&send, "x").contains(&("email", "anna@mail.ru")));
    }
}
