//! Gravity Forms calls fields by numbers, and sends the entry's own properties beside them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use leadgate_wire::fields::{Found, Kind, looks_like_email, looks_like_phone};

use super::names;
use crate::draft::Placed;

/// Properties of an entry that say nothing of the enquiry.
const PROPERTIES: &[&str] = &[
    "post_id",
    "date_created",
    "date_updated",
    "is_starred",
    "is_read",
    "is_fulfilled",
    "currency",
    "payment_method",
    "created_by",
    "transaction_type",
    "status",
    "source_id",
    "submission_speeds",
    "is_approved",
];

/// Sorts an entry's fields. `whole`: the entry as Gravity keeps it, not fields of the owner's choice.
pub(super) fn sort(mut said: Vec<Placed>, whole: bool) -> Vec<Placed> {
    if whole {
        said.retain(|one| !names::is_one_of(&one.entry.name, PROPERTIES));
    }
    let labelled: HashSet<String> =
        said.iter().filter(|one| !names::is_number(&one.entry)).map(|one| one.entry.value.trim().to_owned()).collect();
    // Fields that the owner sends by number and by label say nothing twice.
    said.retain(|one| {
        !names::is_number(&one.entry) || !labelled.contains(one.entry.value.trim()) || one.entry.value.trim().is_empty()
    });
    let people = name_fields(&said);
    for one in &mut said {
        let Some((field, part)) = names::number(&one.entry.name) else { continue };
        let kind = match part {
            Some("3") if people.contains(field) => Kind::GivenName,
            Some("4") if people.contains(field) => Kind::Patronymic,
            Some("6") if people.contains(field) => Kind::FamilyName,
            // Only a paragraph has line breaks.
            None if one.entry.value.trim().contains('\n') => Kind::Message,
            _ => continue,
        };
        one.named = Found { kind, exact: kind != Kind::Message };
    }
    phone(&mut said);
    said
}

/// The numbers of fields that ask for a name: of its parts 2 (title), 3 (given), 4 (middle), 6 (family) and 8 (suffix) there is
/// a given or a family one, and no other. An address has parts 1 and 5, too, and a list of choices begins with 1.
fn name_fields(said: &[Placed]) -> BTreeSet<String> {
    let mut parts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in said {
        if let Some((field, Some(part))) = names::number(&one.entry.name) {
            parts.entry(field).or_default().insert(part);
        }
    }
    let is_name = |parts: &BTreeSet<&str>| {
        parts.iter().all(|part| matches!(*part, "2" | "3" | "4" | "6" | "8")) && (parts.contains("3") || parts.contains("6"))
    };
    parts.into_iter().filter(|(_, parts)| is_name(parts)).map(|(field, _)| field.to_owned()).collect()
}

/// A number without a country is a phone if nothing else is one: it begins with the zero that is dialled within a country, which
/// no order and no amount does.
fn phone(said: &mut [Placed]) {
    let known = |one: &Placed| one.named.kind == Kind::Phone || looks_like_phone(&one.entry.value);
    if said.iter().any(known) {
        return;
    }
    let national = |one: &&mut Placed| {
        let value = one.entry.value.trim();
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        names::is_number(&one.entry)
            && value.starts_with('0')
            && (9..=11).contains(&digits)
            && value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'/' | b'(' | b')' | b'.'))
            && !looks_like_email(value)
    };
    let mut found = said.iter_mut().filter(national);
    if let (Some(one), None) = (found.next(), found.next()) {
        one.named = Found { kind: Kind::Phone, exact: true };
    }
}

/// When an entry was made, in UTC: `2026-02-06 13:31:59`.
pub(super) fn made_at(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.trim().replacen(' ', "T", 1).parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
