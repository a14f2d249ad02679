//! Calls of providers by their presets, and of any other by a mapping.

mod hostile;
mod mapping;
mod presets;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{KeyInit as _, Mac as _};
use leadgate_core::call::{CallFacts, CallView};
use leadgate_core::ports::{Parsed, Reply};
use leadgate_core::submission::{Purpose, Submission};

use super::KIND;
use crate::testing::{Call, Source, source};

fn preset(name: &str, more: &str) -> Source {
    source(&KIND, &format!("preset = \"{name}\"\n{more}"))
}

/// What a call of a provider tells of a telephone call.
fn facts(source: &Source, call: &Call) -> CallFacts {
    let one = source.one(call);
    assert_eq!(one.purpose, Purpose::Lead);
    let facts = *one.draft.call.unwrap();
    assert_eq!(one.draft.external_key.as_deref(), Some(format!("call:{}", facts.id).as_str()));
    facts
}

/// What calls of a provider tell together, in whatever order they come.
fn joined(source: &Source, calls: &[Call]) -> CallFacts {
    let told: Vec<CallFacts> = calls.iter().map(|call| facts(source, call)).collect();
    let mut orders: Vec<Vec<usize>> = vec![Vec::new()];
    for n in 0..told.len() {
        orders =
            orders.into_iter().flat_map(|order| (0..=n).map(move |at| [&order[..at], &[n], &order[at..]].concat())).collect();
    }
    let mut all = orders.iter().map(|order| {
        let mut out = told[order[0]].clone();
        for n in order {
            out.join(&told[*n]);
        }
        out
    });
    let first = all.next().unwrap();
    assert!(all.all(|other| other == first), "the order of events plays no part");
    first
}

fn view(source: &Source, calls: &[Call]) -> CallView {
    joined(source, calls).view()
}

/// After a time without news.
fn quiet_view(source: &Source, calls: &[Call]) -> CallView {
    let mut facts = joined(source, calls);
    facts.silent = true;
    facts.view()
}

fn probe(source: &Source, call: &Call) -> Reply {
    match source.parse(call) {
        Ok(Parsed::Probe(reply)) => reply,
        other => panic!("{other:?}"),
    }
}

/// Kept, as something that nobody here knows.
fn note(source: &Source, call: &Call) -> Submission {
    let one = source.one(call);
    assert!(one.draft.call.is_none() && one.purpose == Purpose::Note, "{one:?}");
    one
}

fn number(view: &CallView) -> Option<(&str, bool)> {
    view.number.as_ref().map(|number| (number.typed.as_str(), number.provider_format))
}

fn sha1_base64(key: &str, body: &[u8]) -> String {
    BASE64.encode(&hmac::Hmac::<sha1::Sha1>::new_from_slice(key.as_bytes()).unwrap().chain_update(body).finalize().into_bytes())
}

fn sha256_hex(key: &str, body: &[u8]) -> String {
    HEXLOWER
        .encode(&hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(body).finalize().into_bytes())
}
