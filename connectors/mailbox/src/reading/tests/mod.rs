//! What mails say, by mails of our own.

mod bounces;
mod quotes;
mod threads;
mod verdicts;

use crate::mime::{Address, Mail};

/// A mail with these headers and this text.
fn mail(headers: &[(&str, &str)], text: &str) -> Mail {
    let mut mail = Mail { text: text.to_owned(), plain: Some(text.to_owned()), ..Mail::default() };
    for (name, value) in headers {
        mail.headers.push(((*name).to_owned(), (*value).to_owned()));
        let ids = || value.split_whitespace().map(|id| id.trim_matches(['<', '>']).to_owned());
        match *name {
            "from" => mail.from.push(address(value)),
            "reply-to" => mail.reply_to.push(address(value)),
            "to" => mail.to.push(address(value)),
            "subject" => (*value).clone_into(&mut mail.subject),
            "message-id" => mail.message_id = ids().next(),
            "in-reply-to" => mail.in_reply_to.extend(ids()),
            "references" => mail.references.extend(ids()),
            _ => {}
        }
    }
    mail
}

/// `Jane Doe <jane@example.org>`, or the address alone.
fn address(text: &str) -> Address {
    match text.split_once('<') {
        Some((name, rest)) => Address { name: name.trim().to_owned(), address: rest.trim_end_matches('>').to_owned() },
        None => Address { name: String::new(), address: text.to_owned() },
    }
}
