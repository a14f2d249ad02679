//! `source map` and `source try`: what a source makes of a body. Nothing is kept and nothing is checked.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{Explanation, Parsed, Part, PathToken, Refusal, Reply, Request, Supplied, Told, Who};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::Receipt;
use leadgate_core::submission::{Draft, Purpose, Submission};
use leadgate_core::views::{PageAt, SubmissionFilter, SubmissionSummary};
use multer::Multipart;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::TryBody;
use super::gate::{Gate, Reader};
use super::story;
use crate::config::Source;
use crate::print;

/// The most bytes `source try` reads.
const TRIED_MOST: u64 = 32 << 20;
/// The most bytes of a payload shown to people; `submissions raw` has the whole.
const SHOWN_MOST: usize = 4000;

/// A body to be read.
struct Body {
    content_type: String,
    query: String,
    bytes: Bytes,
    parts: Option<Vec<Part>>,
}

/// What a source makes of a body.
struct Made {
    outcome: Result<Parsed, Refusal>,
    explanation: Option<Explanation>,
}

/// Runs `source map`.
pub(super) async fn map(gate: &Gate, id: &SourceId) -> anyhow::Result<()> {
    let source = find(gate, id)?;
    let reader = gate.reader().await?;
    let filter = SubmissionFilter { sources: Some(vec![id.clone()]), ..SubmissionFilter::default() };
    let last = reader.submissions(filter, PageAt { after: None, limit: 1 }).await?.items.pop();
    let last = last.ok_or_else(|| anyhow!("{id} has received nothing yet: send it a delivery, then look again"))?;
    let detail = reader.submission(last.id).await?.ok_or_else(|| anyhow!("the last delivery of {id} is gone"))?;
    let bytes = reader.raw(last.id).await?.unwrap_or_default();
    let body = Body { content_type: last.content_type.clone(), query: detail.query, bytes: Bytes::from(bytes), parts: None };
    let made = made(gate, source, &body)?;
    if gate.json() {
        let payload = String::from_utf8_lossy(&body.bytes);
        let told = json!({ "source": id, "submission": last.id, "content_type": body.content_type, "query": body.query,
            "payload": payload, "made": told_json(&made) });
        return Ok(print::json(&told)?);
    }
    let mut text = print::Text::default();
    head(gate, &last, &mut text);
    payload(&body, &mut text);
    tell(&made, &mut text);
    Ok(print::out(&text.finish())?)
}

fn head(gate: &Gate, last: &SubmissionSummary, text: &mut print::Text) {
    let at = story::time(last.received_at, gate.zone());
    text.line(format!("The last delivery of {}, {at}, became: {}", last.source, last.outcome));
    text.line(format!("Its id: {}", last.id));
}

/// What was kept, secrets overwritten; JSON with a line for each value.
fn payload(body: &Body, text: &mut print::Text) {
    let kept = String::from_utf8_lossy(&body.bytes);
    let indented = serde_json::from_str::<Value>(&kept).ok().and_then(|json| serde_json::to_string_pretty(&json).ok());
    text.line(format!("\nWhat came ({})", print::safe(&body.content_type)));
    let whole = indented.as_deref().unwrap_or(&kept);
    let shown = leadgate_core::text::cut(whole, SHOWN_MOST);
    text.block(&print::indented(shown, "  "));
    if shown.len() < whole.len() {
        text.line("  … (the whole: leadgate submissions raw)");
    }
    if !body.query.is_empty() {
        text.pair(2, "in the URL", &body.query);
    }
}

/// Runs `source try`.
pub(super) async fn try_body(gate: &Gate, id: &SourceId, tried: &TryBody) -> anyhow::Result<()> {
    let source = find(gate, id)?;
    let bytes = read(tried.file.as_deref())?;
    let content_type = tried.content_type.clone().unwrap_or_else(|| guessed(&bytes));
    let parts = parts(&content_type, &bytes).await?;
    let body = Body { content_type, query: tried.query.clone().unwrap_or_default(), bytes, parts };
    let made = made(gate, source, &body)?;
    let receipts = preview(gate, &made).await?;
    if gate.json() {
        let told = json!({ "source": id, "content_type": body.content_type, "made": told_json(&made), "would_become": receipts });
        return Ok(print::json(&told)?);
    }
    let mut text = print::Text::default();
    text.line(format!("Read as {}. Nothing is kept, and no signature or key is checked.", print::safe(&body.content_type)));
    tell(&made, &mut text);
    for receipt in receipts.iter().flatten() {
        text.line(format!("\nIt would become: {}", receipt.outcome));
        for reason in &receipt.reasons {
            text.line(format!("  - {}", print::safe(&reason.words())));
        }
    }
    if receipts.is_none() && matches!(made.outcome, Ok(Parsed::Submissions(_))) {
        text.line("\nThere is no database yet to say what it would become.");
    }
    Ok(print::out(&text.finish())?)
}

fn find<'a>(gate: &'a Gate, id: &SourceId) -> anyhow::Result<&'a Source> {
    gate.config.sources.iter().find(|source| source.id == *id).ok_or_else(|| {
        let ids: Vec<&str> = gate.config.sources.iter().map(|source| source.id.as_str()).collect();
        anyhow!("there is no source {id}; there are: {}", ids.join(", "))
    })
}

fn read(file: Option<&Path>) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    match file {
        Some(path) => {
            let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            file.take(TRIED_MOST + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
        }
        None => {
            std::io::stdin().lock().take(TRIED_MOST + 1).read_to_end(&mut bytes).context("cannot read the standard input")?;
        }
    }
    if bytes.len() as u64 > TRIED_MOST {
        bail!("the body is larger than {}", story::size(TRIED_MOST));
    }
    Ok(Bytes::from(bytes))
}

/// The type of a body that comes without one.
fn guessed(bytes: &[u8]) -> String {
    let text = bytes.trim_ascii_start();
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    if let (Some(boundary), true) = (first.strip_prefix(b"--"), first.len() > 4)
        && let Ok(boundary) = std::str::from_utf8(boundary)
    {
        return format!("multipart/form-data; boundary={boundary}");
    }
    let json = text.starts_with(b"{") || text.starts_with(b"[");
    if json { "application/json".to_owned() } else { "application/x-www-form-urlencoded".to_owned() }
}

/// The fields of a multipart form; its files are only named.
async fn parts(content_type: &str, bytes: &Bytes) -> anyhow::Result<Option<Vec<Part>>> {
    let Ok(boundary) = multer::parse_boundary(content_type) else { return Ok(None) };
    let mut form = Multipart::new(stream::iter([Ok::<_, std::io::Error>(bytes.clone())]), boundary);
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.context("the multipart form cannot be read")? {
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(str::to_owned) {
            Some(file) if !file.is_empty() => {
                parts.push(Part::Refused { field: name, name: file, why: "files are not kept in a trial".to_owned() });
            }
            Some(_) => {}
            None => parts.push(Part::Field { name, value: field.bytes().await.context("the multipart form cannot be read")? }),
        }
    }
    Ok(Some(parts))
}

fn made(gate: &Gate, source: &Source, body: &Body) -> anyhow::Result<Made> {
    let Some(push) = source.connector.mode.push() else {
        bail!("{} is asked by the gateway itself: nobody posts to it", source.id);
    };
    let query = if body.query.is_empty() { String::new() } else { format!("?{}", body.query) };
    let url = format!("{}/in/{}{query}", gate.config.base_url(), source.id);
    let headers = [("content-type".to_owned(), body.content_type.clone())];
    let (received_at, id) = gate.clock.submission();
    let empty = Bytes::new();
    let request = Request {
        id,
        source: &source.id,
        method: if body.bytes.is_empty() { "GET" } else { "POST" },
        url: &url,
        headers: &headers,
        body: if body.parts.is_some() { &empty } else { &body.bytes },
        parts: body.parts.as_deref(),
        peer: None,
        received_at,
        path_token: PathToken::Vouched,
        rest: "",
    };
    let explanation = push.explain(&request);
    // A captcha can be asked about once only.
    let outcome = match push.parse(&request) {
        Ok(Parsed::Ask(_)) => push.told(&request, &Told::NotAsked),
        made => made,
    };
    Ok(Made { outcome, explanation })
}

/// What would become of it now; `None` without a database.
async fn preview(gate: &Gate, made: &Made) -> anyhow::Result<Option<Vec<Receipt>>> {
    let Ok(Parsed::Submissions(items) | Parsed::Who(Who { tells: items, .. })) = &made.outcome else { return Ok(None) };
    if !gate.config.database.may_exist() {
        return Ok(None);
    }
    let Reader::Store(store) = gate.reader().await? else { return Ok(None) };
    let rules = Arc::new(gate.config.rules());
    let items = items.iter().map(|item| Arc::new(Prepared::new(item.clone(), &rules))).collect();
    Ok(Some(store.preview(items, rules).await?))
}

/// What was made, for programs.
fn told_json(made: &Made) -> Value {
    match &made.outcome {
        Err(refusal) => json!({ "refused": refused(refusal) }),
        Ok(Parsed::Ask(_)) => json!({ "refused": "another service has to be asked first" }),
        Ok(Parsed::Again(_, why)) => json!({ "refused": why }),
        Ok(Parsed::Probe(reply)) => json!({ "answer": { "status": reply.status, "body": String::from_utf8_lossy(&reply.body) } }),
        Ok(Parsed::Submissions(items) | Parsed::Who(Who { tells: items, .. })) => {
            let deliveries: Vec<Delivery> = items.iter().map(|item| Delivery::of(item, made.explanation.as_ref())).collect();
            json!({ "deliveries": deliveries })
        }
    }
}

/// A delivery, for programs and for people.
#[derive(Serialize)]
struct Delivery {
    keys: Vec<String>,
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
    #[serde(flatten)]
    explanation: Explanation,
}

impl Delivery {
    fn of(item: &Submission, explanation: Option<&Explanation>) -> Self {
        Self {
            keys: item.keys.iter().map(|key| key.value.clone()).collect(),
            test: item.purpose == Purpose::Test,
            occurred_at: item.occurred_at,
            held: item.hold.as_ref().map(|hold| hold.words.clone()),
            explanation: explanation.cloned().unwrap_or_else(|| drafted(&item.draft)),
        }
    }
}

/// What a connector without a declared mapping understood.
fn drafted(draft: &Draft) -> Explanation {
    let supplied = |field: &str, value: &str, from: &str| Supplied {
        field: field.to_owned(),
        value: value.to_owned(),
        from: from.to_owned(),
    };
    let mut read = Vec::new();
    let form = draft.form.clone().unwrap_or_default();
    for (field, value) in [
        ("name", &draft.name),
        ("title", &draft.title),
        ("message", &draft.message),
        ("country", &draft.country),
        ("form_id", &form.id),
        ("form_name", &form.name),
        ("page", &draft.touch.page),
        ("landing", &draft.touch.landing),
        ("referrer", &draft.touch.referrer),
    ] {
        read.extend(value.iter().map(|value| supplied(field, value, "")));
    }
    read.extend(draft.phones.iter().map(|typed| supplied("phone", &typed.text, &typed.field)));
    read.extend(draft.emails.iter().map(|typed| supplied("email", &typed.text, &typed.field)));
    read.extend(draft.touch.values.iter().map(|value| supplied(&value.key, &value.value, value.from.words())));
    read.extend(draft.consents.iter().map(|consent| supplied("consent", &consent.text, &consent.field)));
    let unmapped = draft.fields.iter().map(|field| supplied(&field.name, &field.value, &field.name));
    Explanation { read, unmapped: unmapped.collect(), missing: Vec::new() }
}

fn refused(refusal: &Refusal) -> &str {
    match refusal {
        Refusal::Unauthenticated(why) | Refusal::Unproven { why, .. } | Refusal::Unreadable(why) | Refusal::Oversize(why) => why,
    }
}

fn tell(made: &Made, text: &mut print::Text) {
    match &made.outcome {
        Err(refusal) => text.line(format!("\nIt would be refused: {}", print::safe(refused(refusal)))),
        Ok(Parsed::Ask(_)) => text.line("\nAnother service has to be asked first."),
        Ok(Parsed::Again(_, why)) => text.line(format!("\nIt would have to be sent again: {}", print::safe(why))),
        Ok(Parsed::Probe(reply)) => tell_answer(reply, text),
        Ok(Parsed::Submissions(items) | Parsed::Who(Who { tells: items, .. })) => {
            for item in items {
                tell_delivery(&Delivery::of(item, made.explanation.as_ref()), text);
            }
        }
    }
}

fn tell_answer(reply: &Reply, text: &mut print::Text) {
    let body = print::safe(&print::short(&String::from_utf8_lossy(&reply.body), 200));
    text.line(format!("\nIt is no delivery: it is answered {} {body}, and nothing is kept.", reply.status));
}

fn tell_delivery(delivery: &Delivery, text: &mut print::Text) {
    if let Some(held) = &delivery.held {
        text.line(format!("\nIt waits for a person: {}", print::safe(held)));
    }
    let rows = |list: &[Supplied]| -> Vec<Vec<String>> {
        list.iter().map(|one| vec![one.field.clone(), print::short(&one.value, 120), one.from.clone()]).collect()
    };
    let Explanation { read, unmapped, missing } = &delivery.explanation;
    if !read.is_empty() {
        text.line("\nWhat is read");
        text.block(&print::table(&["field", "value", "from"], &rows(read), &[]));
    }
    if !unmapped.is_empty() {
        text.line("\nWhat nothing asks for (kept as fields)");
        text.block(&print::table(&["field", "value", "place"], &rows(unmapped), &[]));
    }
    if !missing.is_empty() {
        text.line("\nWhat the mapping looks for in vain");
        let rows: Vec<Vec<String>> = missing.iter().map(|one| vec![one.field.clone(), one.places.join(", ")]).collect();
        text.block(&print::table(&["field", "places"], &rows, &[]));
    }
    text.line("");
    match delivery.keys.as_slice() {
        [] => text.line("It has no key of its own: the same content within the repeat window is a repeat."),
        keys => text.line(format!("Its key: {}", print::safe(&keys.join(", ")))),
    }
    if delivery.test {
        text.line("It is marked as a test.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_tell_their_type() {
        for (body, expected) in [
            (" {\"a\":1}", "application/json"),
            ("[1]", "application/json"),
            ("a=1&b=2", "application/x-www-form-urlencoded"),
            (
                "\r\n----x1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n----x1--",
                "multipart/form-data; boundary=--x1",
            ),
            ("--", "application/x-www-form-urlencoded"),
        ] {
            assert_eq!(guessed(body.as_bytes()), expected, "{body}");
        }
    }

    #[tokio::test]
    async fn the_fields_of_a_multipart_form_are_read() {
        let body = "----x1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n----x1\r\nContent-Disposition: form-data; \
                    name=\"f\"; filename=\"plan.pdf\"\r\n\r\n%PDF\r\n----x1--\r\n";
        let bytes = Bytes::from(body);
        let parts = parts(&guessed(&bytes), &bytes).await.unwrap().unwrap();
        assert!(matches!(&parts[0], Part::Field { name, value } if name == "a" && value == "1"));
        assert!(matches!(&parts[1], Part::Refused { name, .. } if name == "plan.pdf"));
        assert_eq!(parts.len(), 2);
    }
}
