//! Reports for machines: the fields of `message/delivery-status` (RFC 3464).

use leadgate_core::submission::Failure;

use super::WORDS;
use crate::mime::Mail;

/// A group of fields: lower-case names and values.
type Group = Vec<(String, String)>;

/// Recipients that are looked at.
const RECIPIENTS: usize = 500;

/// What a report says of a delivery as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is no report.
    None,
    /// It is a report on something else: a receipt, a complaint.
    Other,
    /// It names no recipient.
    Silent,
    /// All were reached.
    Delivered,
    /// Somebody was not reached yet.
    Delayed,
    /// Somebody was not reached.
    Failed,
}

/// Whom a report names as not reached, and what it says as a whole.
pub(super) fn failures(mail: &Mail) -> (Vec<Failure>, Outcome) {
    let groups = match &mail.report {
        Some(report) if matches!(report.kind.as_str(), "disposition-notification" | "feedback-report") => {
            return (Vec::new(), Outcome::Other);
        }
        Some(report) if report.groups.iter().any(is_recipient) => report.groups.clone(),
        _ => attached(mail),
    };
    let recipients: Vec<&Group> = groups.iter().filter(|group| is_recipient(group)).take(RECIPIENTS).collect();
    if recipients.is_empty() {
        let is_report = mail.report.as_ref().is_some_and(|report| report.kind == "delivery-status") || !groups.is_empty();
        return (Vec::new(), if is_report { Outcome::Silent } else { Outcome::None });
    }
    let mut out: Vec<Failure> = Vec::new();
    let mut outcome = Outcome::Delivered;
    for group in recipients {
        let Some(failure) = failure(group) else { continue };
        let delayed = field(group, "action").is_some_and(|action| action.trim().eq_ignore_ascii_case("delayed"));
        if !delayed {
            outcome = Outcome::Failed;
        } else if outcome == Outcome::Delivered {
            outcome = Outcome::Delayed;
        }
        let known = out.iter().any(|known| known.address.eq_ignore_ascii_case(&failure.address));
        if failure.address.contains('@') && !known {
            out.push(failure);
        }
    }
    (out, outcome)
}

/// Reports that are no part of a multipart/report.
fn attached(mail: &Mail) -> Vec<Group> {
    let is_report =
        |kind: &str| matches!(kind, "message/delivery-status" | "message/global-delivery-status" | "message/x-delivery-status");
    let reports = mail.attachments.iter().filter(|part| is_report(&part.content_type));
    reports.flat_map(|part| groups(&String::from_utf8_lossy(&part.bytes))).collect()
}

/// Fields in groups, an empty line between them; folded lines joined.
fn groups(text: &str) -> Vec<Group> {
    let mut out = vec![Group::new()];
    for line in text.lines().take(5_000) {
        if line.trim().is_empty() {
            if out.last().is_some_and(|group| !group.is_empty()) {
                out.push(Group::new());
            }
            continue;
        }
        let Some(group) = out.last_mut() else { break };
        match (line.starts_with([' ', '\t']), group.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    group.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }
    out.retain(|group| !group.is_empty());
    out
}

fn field<'a>(group: &'a Group, name: &str) -> Option<&'a str> {
    group.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn is_recipient(group: &Group) -> bool {
    ["final-recipient", "original-recipient", "x-actual-recipient"].iter().any(|name| field(group, name).is_some())
}

/// A recipient that was not reached.
fn failure(group: &Group) -> Option<Failure> {
    let action = field(group, "action").unwrap_or_default().trim().to_ascii_lowercase();
    let action = action.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let diagnostic = field(group, "diagnostic-code").unwrap_or_default();
    let stated = field(group, "status").unwrap_or_default();
    let status = best_status(stated, diagnostic);
    let reached = matches!(action, "delivered" | "relayed" | "expanded") || action.is_empty() && status.starts_with('2');
    if reached {
        return None;
    }
    // What the sender wrote comes first: it is the address they know.
    let names = ["original-recipient", "final-recipient", "x-actual-recipient"];
    let address = names.iter().filter_map(|name| field(group, name)).find_map(address).unwrap_or_default();
    let words = if diagnostic.is_empty() { stated } else { diagnostic };
    let words = words.split_once(';').map_or(words, |(_, words)| words).trim();
    let permanent = action != "delayed" && super::address::is_permanent(&status, stated, words);
    Some(Failure { address, permanent, status, words: leadgate_core::text::cut(words, WORDS).to_owned() })
}

/// The status as a field tells it; what the other server said where the field is as general as `5.0.0`.
fn best_status(stated: &str, diagnostic: &str) -> String {
    let stated = super::address::status(stated).unwrap_or_default();
    let said = super::address::status(diagnostic).unwrap_or_default();
    let general = stated.is_empty() || stated.ends_with(".0.0");
    if general && !said.is_empty() && (stated.is_empty() || stated.as_bytes()[0] == said.as_bytes()[0]) { said } else { stated }
}

/// `rfc822; jane@example.com`, perhaps in angle brackets.
fn address(value: &str) -> Option<String> {
    let value = value.split_once(';').map_or(value, |(_, value)| value);
    super::address::addresses(value).next().map(|(_, address)| address.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::mime::{Attachment, Mail, Report};
    use crate::reading::bounce::{failures, sign};

    /// A group's fields, and the address, whether for good, and the status that are read of it.
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<(&'a str, bool, &'a str)>);

    fn report(kind: &str, groups: &[&[(&str, &str)]]) -> Mail {
        let group =
            |fields: &&[(&str, &str)]| fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let report = Report { kind: kind.to_owned(), groups: groups.iter().map(group).collect(), original_id: None };
        Mail { report: Some(report), ..Mail::default() }
    }

    #[test]
    fn actions_and_statuses() {
        let cases: [Case<'_>; 9] = [
            (
                &[("final-recipient", "rfc822; jane@example.org"), ("action", "failed"), ("status", "5.1.1 (no such user)")],
                Some(("jane@example.org", true, "5.1.1")),
            ),
            (
                &[("final-recipient", "rfc822;jane@example.org"), ("action", "delayed"), ("status", "4.4.1")],
                Some(("jane@example.org", false, "4.4.1")),
            ),
            (
                &[("final-recipient", "RFC822; <jane@example.org>"), ("action", "failed"), ("status", "4.4.7")],
                Some(("jane@example.org", false, "4.4.7")),
            ),
            (
                &[
                    ("original-recipient", "rfc822;Jane@example.org"),
                    ("final-recipient", "rfc822;jane@inner.example"),
                    ("action", "failed"),
                    ("status", "5.0.0"),
                    ("diagnostic-code", "smtp; 550 5.2.2 mailbox full"),
                ],
                Some(("Jane@example.org", true, "5.2.2")),
            ),
            (
                &[
                    ("original-recipient", "rfc822; jane@example.org"),
                    ("final-recipient", "x400; /S=jane/"),
                    ("action", "failed"),
                ],
                Some(("jane@example.org", true, "")),
            ),
            (
                &[("final-recipient", "rfc822;jane@example.org"), ("action", "failure"), ("status", "553 too large")],
                Some(("jane@example.org", true, "")),
            ),
            (
                &[("final-recipient", "rfc822;jane@example.org"), ("action", "failed"), ("diagnostic-code", "smtp; 450 busy")],
                Some(("jane@example.org", false, "")),
            ),
            (&[("final-recipient", "rfc822;jane@example.org"), ("action", "delivered"), ("status", "2.0.0")], None),
            (&[("final-recipient", "rfc822;jane@example.org"), ("action", "relayed")], None),
        ];
        for (fields, expected) in cases {
            let mail = report("delivery-status", &[&[("reporting-mta", "dns; mx.example.net")], fields]);
            let told = failures(&mail);
            let told: Vec<_> = told.iter().map(|f| (f.address.as_str(), f.permanent, f.status.as_str())).collect();
            assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{fields:?}");
            assert_eq!(sign(&mail).is_some(), expected.is_some(), "{fields:?}");
        }
    }

    #[test]
    fn a_receipt_is_no_bounce() {
        for kind in ["disposition-notification", "feedback-report"] {
            let mail =
                report(kind, &[&[("final-recipient", "rfc822;jane@example.org"), ("disposition", "automatic; displayed")]]);
            assert_eq!(failures(&mail), []);
            assert_eq!(sign(&mail), None);
        }
    }

    #[test]
    fn a_report_may_be_a_part_of_any_mail() {
        let bytes = "Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: rfc822;\r\n jane@example.org\r\nAction: failed\r\n\
                     Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n no such user\r\n";
        let part = Attachment {
            name: String::new(),
            content_type: "message/delivery-status".to_owned(),
            bytes: bytes.into(),
            file: None,
            stays: false,
            inline: false,
            place: 0..0,
        };
        let told = failures(&Mail { attachments: vec![part], ..Mail::default() });
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].address.as_str(), told[0].words.as_str()), ("jane@example.org", "550 5.1.1 no such user"));
    }
}
