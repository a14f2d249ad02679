//! What a mail is; and apart from that, whether a machine may answer it.
//!
//! The two are often mixed up. `Precedence: bulk`, `X-Auto-Response-Suppress`, `Auto-Submitted: auto-generated` or a noreply
//! sender forbid an answer, and stand in the mails of web sites' forms and of marketplaces as well: none of them says that
//! nobody wrote.

use leadgate_core::email::is_deaf;
use leadgate_core::submission::MailClass;

use super::bounce::{self, Writer};
use super::lines::begins;
use super::{Verdict, authenticity, notification};
use crate::mime::Mail;
use crate::settings::Policy;

/// How subjects of automatic replies begin. Believed only together with something else.
const SUBJECTS: &[&str] = &[
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "automated reply",
    "automated response",
    "automatic response",
    "autoresponse",
    "autoresponder",
    "out of office",
    "out of the office",
    "away from",
    "vacation",
    "on vacation",
    "i am out of",
    "автоответ",
    "автоматический ответ",
    "автоматическое уведомление",
    "авто-ответ",
    "вне офиса",
    "нет на месте",
    "в отпуске",
    "отпуск",
    "автовідповідь",
    "автоматична відповідь",
    "поза офісом",
    "у відпустці",
    "automatische antwort",
    "abwesenheitsnotiz",
    "abwesenheit",
    "abwesend",
    "nicht im büro",
    "réponse automatique",
    "absence du bureau",
    "absent du bureau",
    "absence",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "fuera de oficina",
    "resposta automática",
    "fora do escritório",
    "risposta automatica",
    "fuori ufficio",
    "automatisch antwoord",
    "afwezig",
    "autoodpowiedź",
    "odpowiedź automatyczna",
    "autosvar",
    "automaattinen vastaus",
];
/// Headers that only automatic replies have.
const HEADERS: &[&str] = &[
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-autoreply-from",
    "x-auto-reply-from",
    "x-mail-autoreply",
    "x-amazon-auto-reply",
    "x-vacation",
];
/// What it is.
pub fn judge(mail: &Mail, policy: &Policy) -> Verdict {
    decide(mail, policy, || notification(mail, policy).map(|form| form.by))
}

pub(super) fn decide(mail: &Mail, policy: &Policy, form: impl FnOnce() -> Option<String>) -> Verdict {
    let (class, why) = class(mail, policy, form);
    let mut why = vec![why];
    let against = against_answering(mail, policy, class);
    let may_answer = against.is_none();
    why.extend(against.map(|reason| format!("no machine may answer: {reason}")));
    Verdict { class, may_answer, why }
}

fn class(mail: &Mail, policy: &Policy, form: impl FnOnce() -> Option<String>) -> (MailClass, String) {
    if let Some(why) = bounce::sign(mail) {
        return (MailClass::Bounce, why);
    }
    if let Some(why) = report(mail) {
        return (MailClass::Report, why);
    }
    if let Some(why) = auto_reply(mail) {
        return (MailClass::AutoReply, why);
    }
    if let Some(by) = form() {
        return (MailClass::FormNotification, by);
    }
    if let Some(why) = likely_auto_reply(mail) {
        return (MailClass::AutoReply, why);
    }
    if let Some(method) = mail.calendar.as_deref().filter(|method| is_invitation(method)) {
        return (MailClass::Calendar, format!("it holds a calendar's {method} (RFC 5546)"));
    }
    match list(mail, policy) {
        Some(why) => (MailClass::List, why),
        None => (MailClass::Human, "nothing says that it is automatic".to_owned()),
    }
}

fn report(mail: &Mail) -> Option<String> {
    let report = mail.report.as_ref()?;
    match report.kind.as_str() {
        "disposition-notification" => Some("it is a receipt for a mail (RFC 8098)".to_owned()),
        "feedback-report" => Some("it is a complaint about a mail (RFC 5965)".to_owned()),
        _ if bounce::is_success(mail) => Some("it reports a delivery that went well (RFC 3464)".to_owned()),
        "" => None,
        kind => Some(format!("it is a report: {kind}")),
    }
}

/// What says by itself that nobody wrote.
fn auto_reply(mail: &Mail) -> Option<String> {
    let submitted = lower(mail, "auto-submitted");
    if submitted.trim_start().starts_with("auto-replied") {
        return Some("Auto-Submitted says auto-replied (RFC 3834)".to_owned());
    }
    if let Some(name) =
        HEADERS.iter().find(|name| mail.header(name).is_some_and(|value| !matches!(value.trim(), "no" | "No" | "0")))
    {
        return Some(format!("it has the header {name}"));
    }
    let precedence = lower(mail, "precedence");
    matches!(precedence.trim(), "auto_reply" | "auto-reply").then(|| format!("Precedence is {}", precedence.trim()))
}

/// What says so together with something else.
fn likely_auto_reply(mail: &Mail) -> Option<String> {
    let returned = bounce::null_return_path(mail);
    if returned && mail.header("x-auto-response-suppress").is_some() {
        return Some("it came with an empty Return-Path and X-Auto-Response-Suppress, as Exchange sends its replies".to_owned());
    }
    let subject = leadgate_core::text::cut(mail.subject.trim(), 200).to_lowercase();
    let subject = subject.trim_start_matches(['[', '(', '*', ' ']);
    let titled = SUBJECTS.iter().find(|words| begins(subject, words))?;
    let answers = !mail.in_reply_to.is_empty() || !mail.references.is_empty();
    let sent =
        mail.header("x-ms-exchange-inbox-rules-loop").is_some() || lower(mail, "auto-submitted").starts_with("auto-generated");
    (answers || returned || sent).then(|| format!("its subject says {titled:?}, and no person began it"))
}

/// An invitation, its answer or its end; what is only published is a file.
fn is_invitation(method: &str) -> bool {
    matches!(method, "REQUEST" | "REPLY" | "CANCEL" | "COUNTER" | "DECLINECOUNTER" | "ADD" | "REFRESH")
}

/// A list or a newsletter: by the list's own headers, unless the list is ours (a group that customers write to) or the mail
/// is a notice of ours, or hands on what somebody else wrote.
fn list(mail: &Mail, policy: &Policy) -> Option<String> {
    let ours = mail.from.iter().any(|from| policy.is_ours(&from.address) || policy.is_form_sender(&from.address));
    if ours || relays(mail, policy) {
        return None;
    }
    let precedence = lower(mail, "precedence");
    let bulk = matches!(precedence.trim(), "list" | "bulk" | "junk");
    if let Some(id) = mail.header("list-id") {
        let name = id.rsplit('<').next().unwrap_or(id).trim_end_matches(['>', ' ']).to_lowercase();
        let own = policy.own.iter().any(|own| own.replace('@', ".") == name)
            || policy
                .ours
                .domains
                .iter()
                .any(|domain| name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
        return (!own).then(|| format!("List-Id names the list {name}"));
    }
    if bulk && (mail.header("list-post").is_some() || mail.header("list-help").is_some()) {
        return Some(format!("Precedence is {}, and it names a list's commands", precedence.trim()));
    }
    mail.header("list-unsubscribe").is_some().then(|| "List-Unsubscribe lets one leave it".to_owned())
}

/// The answer goes to somebody else than the machine that sent it: a marketplace hands on what a customer wrote.
fn relays(mail: &Mail, policy: &Policy) -> bool {
    let domain = |address: &str| {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase();
        psl::domain_str(&domain).map_or_else(|| domain.clone(), str::to_owned)
    };
    let from: Vec<String> = mail.from.iter().map(|from| domain(&from.address)).collect();
    let free = |address: &str| leadgate_core::email::read(address).emails.iter().any(|email| email.flags.free_mail);
    mail.reply_to.iter().any(|reply| {
        free(&reply.address)
            && !from.contains(&domain(&reply.address))
            && !policy.is_ours(&reply.address)
            && !is_deaf(&reply.address)
    })
}

/// Why a machine must not answer, if it must not.
fn against_answering(mail: &Mail, policy: &Policy, class: MailClass) -> Option<String> {
    if !matches!(class, MailClass::Human | MailClass::FormNotification) {
        return Some(format!("it is of the class {}", class.as_str()));
    }
    let [from] = mail.from.as_slice() else { return Some("it has no sender, or several".to_owned()) };
    let precedence = lower(mail, "precedence");
    let precedence = precedence.trim();
    let submitted = lower(mail, "auto-submitted");
    let submitted = submitted.split([';', ' ', '(']).next().unwrap_or_default();
    let suppress = lower(mail, "x-auto-response-suppress");
    let suppress = suppress.split([',', ';', ' ']).find(|word| matches!(*word, "all" | "oof" | "autoreply"));
    let listed = ["list-id", "list-unsubscribe", "list-post", "list-help", "x-loop", "feedback-id"];
    if !submitted.is_empty() && submitted != "no" {
        return Some(format!("Auto-Submitted says {submitted}"));
    }
    if let Some(suppress) = suppress {
        return Some(format!("X-Auto-Response-Suppress says {suppress}"));
    }
    if matches!(precedence, "bulk" | "list" | "junk") {
        return Some(format!("Precedence is {precedence}"));
    }
    if let Some(header) = listed.iter().find(|name| mail.header(name).is_some()) {
        return Some(format!("it has the header {header}"));
    }
    if bounce::null_return_path(mail) {
        return Some("its Return-Path is empty".to_owned());
    }
    if bounce::writer(mail) != Writer::Other || is_deaf(&from.address) {
        return Some(format!("{} reads no answers", from.address));
    }
    if policy.is_ours(&from.address) {
        return Some("it comes from ourselves".to_owned());
    }
    let to = || mail.to.iter().chain(&mail.cc);
    if !policy.own.is_empty() && !to().any(|to| policy.is_ours(&to.address)) {
        return Some("it is not addressed to us".to_owned());
    }
    let said = authenticity(mail, policy);
    if said.spoofed {
        return Some("its sender's address is forged".to_owned());
    }
    let flagged = lower(mail, "x-spam-flag").starts_with("yes");
    (flagged || said.spam.is_some()).then(|| "it is taken for spam".to_owned())
}

/// A header's value in lower case; empty if there is none.
fn lower(mail: &Mail, name: &str) -> String {
    mail.header(name).map(|value| leadgate_core::text::cut(value.trim(), 500).to_lowercase()).unwrap_or_default()
}
