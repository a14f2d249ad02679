//! A form's notification as a draft: as if the form had called.

use jiff::Timestamp;
use leadgate_core::attribution::Origin;
use leadgate_core::submission::Draft;
use leadgate_wire::draft::{self, Circumstances, Own, Placed};
use leadgate_wire::fields;

use super::Notification;

/// What a notification tells of the customer. Consents are given `at` that time.
pub(super) fn draft(notification: &Notification, at: Timestamp) -> Draft {
    let pairs = notification.pairs.iter().map(|(label, value)| Placed::named(label, value.clone(), None, Origin::Field));
    let (circumstances, placed): (Vec<Placed>, Vec<Placed>) = pairs.partition(|one| circumstance(one).is_some());
    let own = Own::new();
    let mut draft = draft::fill(&placed.iter().collect::<Vec<_>>(), &Circumstances { own: &own, received_at: at, address: None });
    for one in circumstances {
        match circumstance(&one) {
            Some(Circumstance::Address(address)) => draft.address = Some(address),
            Some(Circumstance::Browser) => draft.user_agent = Some(one.entry.value),
            None => {}
        }
    }
    for consent in &mut draft.consents {
        consent.address = draft.address;
    }
    draft::consent_pages(&mut draft);
    // "Source: utm_source=x&utm_medium=y", or a link with them.
    for field in draft.fields.iter().filter(|field| field.value.contains("utm_") && field.value.len() <= 4000) {
        let query = field.value.split_once('?').map_or(field.value.as_str(), |(_, query)| query);
        draft.touch.offer_url(&format!("?{query}"), Origin::PageUrl);
    }
    draft
}

/// What the form's software saw of the visitor.
enum Circumstance {
    Address(std::net::IpAddr),
    Browser,
}

fn circumstance(one: &Placed) -> Option<Circumstance> {
    let label = fields::label(&one.entry.path);
    let mut words = label.split(' ');
    if words.any(|word| word == "ip") {
        return one.entry.value.trim().parse().ok().map(Circumstance::Address);
    }
    matches!(label.as_str(), "user agent" | "browser" | "браузер" | "agente de usuario" | "navegador")
        .then_some(Circumstance::Browser)
}
