//! Which plugin sent a delivery: none of them says so, but each has habits.

use leadgate_core::ports::Request;
use leadgate_wire::body::Entry;

use super::names;

/// A form plugin of WordPress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plugin {
    ContactForm7,
    Elementor,
    Gravity,
    WpForms,
    Fluent,
    Forminator,
    Jetpack,
}

impl Plugin {
    /// Its name, for people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ContactForm7 => "Contact Form 7",
            Self::Elementor => "Elementor",
            Self::Gravity => "Gravity Forms",
            Self::WpForms => "WPForms",
            Self::Fluent => "Fluent Forms",
            Self::Forminator => "Forminator",
            Self::Jetpack => "Jetpack Forms",
        }
    }
}

/// Tells the plugin by its headers, else by the names of its fields.
pub(super) fn sniff(request: &Request<'_>, entries: &[Entry]) -> Option<Plugin> {
    by_headers(request).or_else(|| by_fields(entries))
}

fn by_headers(request: &Request<'_>) -> Option<Plugin> {
    let agent = request.header("user-agent").unwrap_or_default();
    if request.header("x-wpforms-webhook-id").is_some() || agent.starts_with("wpforms-webhooks") {
        Some(Plugin::WpForms)
    } else if agent.contains("ForminatorWebhook") {
        Some(Plugin::Forminator)
    } else if agent.contains("Jetpack/") {
        Some(Plugin::Jetpack)
    } else {
        None
    }
}

/// `X-Hook-Test: true`: Forminator tries the address when it is saved, with labels in place of values.
pub(super) fn is_hook_test(request: &Request<'_>) -> bool {
    request.header("x-hook-test").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

fn by_fields(entries: &[Entry]) -> Option<Plugin> {
    let any = |test: &dyn Fn(&str, &Entry) -> bool| {
        entries.iter().any(|entry| entry.path.first().is_some_and(|first| test(first.trim(), entry)))
    };
    let named = |wanted: &[&str]| any(&|first, entry| entry.path.len() == 1 && wanted.contains(&first));
    let under = |root: &str| any(&|first, entry| first == root && entry.path.len() > 1);
    if under("__submission") || any(&|first, _| first.starts_with("__fluent_form") || first.starts_with("_fluentform_")) {
        return Some(Plugin::Fluent);
    }
    if any(&|_, entry| names::elementor_part(entry).is_some()) || any(&|first, _| first.starts_with("No Label ")) {
        return Some(Plugin::Elementor);
    }
    if is_whole_entry(entries) || entries.iter().filter(|entry| names::is_number(entry)).count() > 1 {
        return Some(Plugin::Gravity);
    }
    if named(&["form_id"]) && named(&["form_name"]) {
        return Some(Plugin::Elementor);
    }
    if named(&["entry-time", "entry_time"]) || any(&|first, _| names::is_element(first)) {
        return Some(Plugin::Forminator);
    }
    if any(&|first, _| first.starts_with("_wpcf7") || first.starts_with("your-") || names::SPECIAL_MAIL_TAGS.contains(&first)) {
        return Some(Plugin::ContactForm7);
    }
    any(&|first, _| names::without_block(first).is_some()).then_some(Plugin::Jetpack)
}

/// Whether Gravity sent the entry as it keeps it, and not fields of the owner's choice.
pub(super) fn is_whole_entry(entries: &[Entry]) -> bool {
    let named = |wanted: &str| entries.iter().any(|entry| matches!(entry.path.as_slice(), [name] if name.trim() == wanted));
    named("form_id") && named("id") && (named("date_created") || named("is_starred") || named("source_url"))
}
