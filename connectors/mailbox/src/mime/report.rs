//! multipart/report (RFC 6522): what a mail server, a mail program or a provider tells of a mail sent earlier.

use super::Report;
use super::addresses;
use super::charset::{Charsets, one_line};
use super::fields::Head;
use super::parts::Tree;
use super::text;

/// Groups of fields, and fields of a group, beyond these many are not looked at.
const MOST_GROUPS: usize = 200;
const MOST_FIELDS: usize = 100;
/// Of a part beyond this many bytes nothing is read.
const LONGEST: usize = 1024 * 1024;

/// The report a mail is, also if some type in it is wrong.
pub(super) fn read(bytes: &[u8], tree: &Tree, charsets: &Charsets) -> Option<Report> {
    let root = &tree.parts[0];
    let is_report = root.kind.value == "multipart/report";
    let mut report =
        Report { kind: root.kind.plain("report-type").unwrap_or_default().to_ascii_lowercase(), ..Report::default() };
    let mut is_told = false;
    for (place, number) in tree.in_order().into_iter().filter(|number| tree.parts[*number].children.is_empty()).enumerate() {
        let part = &tree.parts[number];
        let kind = part.kind.value.as_str();
        let named = machine_readable(kind);
        // Some servers send all of it as text/plain; what it is shows.
        let may_be = is_report && place > 0 && matches!(kind, "text/plain" | "application/octet-stream" | "text/rfc822-headers");
        if named.is_none() && !may_be && !holds_original(kind) {
            continue;
        }
        let raw = &bytes[part.body.start..part.body.end.min(part.body.start + LONGEST)];
        let body = text::decoded(part.transfer, super::keep::without_mark(raw));
        if let Some(kind) = named.or_else(|| if may_be { guessed(&body) } else { None }) {
            if report.kind.is_empty() {
                kind.clone_into(&mut report.kind);
            }
            if !is_told {
                report.groups = groups(&body, charsets);
                is_told = true;
            }
        } else if report.original_id.is_none() && (holds_original(kind) || may_be) {
            let head = Head::read(&body, super::read::start(&body)..body.len());
            report.original_id = head.value(&body, "message-id").and_then(addresses::id);
        }
    }
    if report.original_id.is_none() {
        let fields = report.groups.iter().flatten();
        let mut ids = fields.filter(|(name, _)| matches!(name.as_str(), "original-message-id" | "x-original-message-id"));
        report.original_id = ids.find_map(|(_, value)| addresses::id(value.as_bytes()));
    }
    (is_report || is_told).then_some(report)
}

/// Whether a part of this type is read here, so that its body must stay when the mail is kept.
pub(super) fn is_read(kind: &str) -> bool {
    machine_readable(kind).is_some() || holds_original(kind)
}

/// The type of report that a type of part stands for.
fn machine_readable(kind: &str) -> Option<&'static str> {
    match kind {
        "message/delivery-status" | "message/global-delivery-status" => Some("delivery-status"),
        "message/disposition-notification" | "message/global-disposition-notification" => Some("disposition-notification"),
        "message/feedback-report" => Some("feedback-report"),
        _ => None,
    }
}

fn holds_original(kind: &str) -> bool {
    matches!(
        kind,
        "message/rfc822" | "message/global" | "text/rfc822-headers" | "message/rfc822-headers" | "message/global-headers"
    )
}

/// What a part tells by its fields.
fn guessed(body: &[u8]) -> Option<&'static str> {
    let start = body[..body.len().min(4_096)].to_ascii_lowercase();
    let has = |field: &str| {
        start.starts_with(field.as_bytes()) || memchr::memmem::find(&start, format!("\n{field}").as_bytes()).is_some()
    };
    if has("final-recipient:") && (has("action:") || has("reporting-mta:")) {
        Some("delivery-status")
    } else if has("final-recipient:") && has("disposition:") {
        Some("disposition-notification")
    } else if has("feedback-type:") {
        Some("feedback-report")
    } else {
        None
    }
}

/// Fields in groups divided by empty lines (RFC 3464, 2.1).
fn groups(body: &[u8], charsets: &Charsets) -> Vec<Vec<(String, String)>> {
    let mut groups: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in body.split(|byte| *byte == b'\n') {
        let open = groups.len();
        let Some(group) = groups.last_mut() else { break };
        let text = charsets.undeclared(line);
        if text.trim().is_empty() {
            if !group.is_empty() {
                if open >= MOST_GROUPS {
                    break;
                }
                groups.push(Vec::new());
            }
        } else if text.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.last_mut()
                && value.len() < 4_096
            {
                value.push(' ');
                value.push_str(&one_line(&text));
            }
        } else if let Some((name, value)) = text.split_once(':')
            && group.len() < MOST_FIELDS
        {
            let mut value = one_line(value);
            super::charset::cut(&mut value, 4_096);
            group.push((name.trim().to_ascii_lowercase(), value));
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}
