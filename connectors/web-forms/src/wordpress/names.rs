//! How the plugins name their fields.

use leadgate_wire::body::Entry;

/// Contact Form 7's special mail tags that owners add to what is sent.
pub(super) const SPECIAL_MAIL_TAGS: &[&str] = &[
    "_url",
    "_post_title",
    "_post_id",
    "_post_name",
    "_serial_number",
    "_remote_ip",
    "_user_agent",
    "_date",
    "_time",
    "_invalid_fields",
    "_site_title",
    "_site_url",
];

/// What forms' software adds about the moment of sending, in its own words.
pub(super) const OF_THE_MOMENT: &[&str] = &["_date", "_time", "_serial_number", "entry-time", "entry_time"];

/// Elementor's title for when a form was sent, in languages it is translated into: day, then hour.
const DAYS: &[&str] = &["date", "дата", "datum", "fecha", "data"];
const HOURS: &[&str] = &["time", "время", "час", "zeit", "uhrzeit", "hora", "horário", "heure", "temps"];
/// Its titles for the visitor's browser, and for itself.
const AGENTS: &[&str] = &[
    "user agent",
    "агент пользователя",
    "агент користувача",
    "user-agent",
    "agente de usuario",
    "agente do usuário",
    "agent utilisateur",
    "benutzer-agent",
    "пользовательский агент",
];
const CREDITS: &[&str] = &[
    "powered by",
    "работает на",
    "на базе",
    "працює на",
    "bereitgestellt von",
    "unterstützt von",
    "desarrollado por",
    "funciona con",
    "desenvolvido por",
    "propulsé par",
];

/// The parts of an Elementor field in its advanced form: `fields[name][type]`.
const PARTS: &[&str] = &["id", "type", "title", "value", "raw_value", "required"];

/// Whether a name stands in a list, case and white space around it apart.
pub(super) fn is_one_of(name: &str, list: &[&str]) -> bool {
    let name = name.trim().to_lowercase();
    list.contains(&name.as_str())
}

/// What of the moment of sending a title of Elementor's stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Day,
    Hour,
    Agent,
    Credit,
}

/// Reads a title of Elementor's.
pub(super) fn moment(entry: &Entry) -> Option<Moment> {
    let [name] = entry.path.as_slice() else { return None };
    [(DAYS, Moment::Day), (HOURS, Moment::Hour), (AGENTS, Moment::Agent), (CREDITS, Moment::Credit)]
        .into_iter()
        .find(|(list, _)| is_one_of(name, list))
        .map(|(_, moment)| moment)
}

/// The id and the part of an Elementor field.
pub(super) fn elementor_part(entry: &Entry) -> Option<(&str, &str)> {
    match entry.path.as_slice() {
        [root, id, part, ..] if matches!(root.trim(), "fields" | "form_fields") && PARTS.contains(&part.as_str()) => {
            Some((id, part))
        }
        _ => None,
    }
}

/// Whether a field is called by a number, as Gravity calls them: `4`, `1.3`.
pub(super) fn is_number(entry: &Entry) -> bool {
    matches!(entry.path.as_slice(), [name] if number(name).is_some())
}

/// A field's number and that of its part.
pub(super) fn number(name: &str) -> Option<(&str, Option<&str>)> {
    let digits = |text: &str| !text.is_empty() && text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.trim().split_once('.') {
        None => digits(name.trim()).then_some((name.trim(), None)),
        Some((field, part)) => (digits(field) && digits(part)).then_some((field, Some(part))),
    }
}

/// The kinds of Forminator's elements whose names end in a number, before it.
const ELEMENTS: &[&str] = &[
    "name",
    "email",
    "phone",
    "text",
    "textarea",
    "select",
    "radio",
    "checkbox",
    "upload",
    "url",
    "number",
    "date",
    "time",
    "address",
    "hidden",
    "consent",
    "gdprcheckbox",
    "calculation",
    "currency",
    "slider",
    "rating",
    "signature",
    "group",
    "postdata",
    "captcha",
    "website",
];

/// `email-1`, `name_1-first-name`: the element's kind and what follows its number.
pub(super) fn element(name: &str) -> Option<(&str, &str)> {
    let (kind, rest) = name.trim().split_once(['-', '_'])?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits);
    let rest = rest.trim_start_matches(['-', '_']);
    ((1..=3).contains(&number.len()) && ELEMENTS.contains(&kind)).then_some((kind, rest))
}

/// Whether a name is one of Forminator's and of nobody else's.
pub(super) fn is_element(name: &str) -> bool {
    // `text-123` and the like are also Contact Form 7's, which counts to three digits.
    element(name).is_some_and(|(kind, _)| {
        let number = name.trim()[kind.len() + 1..].bytes().take_while(u8::is_ascii_digit).count();
        number < 3 && matches!(kind, "name" | "email" | "phone" | "gdprcheckbox" | "textarea")
    })
}

/// A Jetpack field's own name: `g12-phone` is `phone` in the form of page 12.
pub(super) fn without_block(name: &str) -> Option<&str> {
    let (block, rest) = name.trim().strip_prefix('g')?.split_once('-')?;
    (!block.is_empty() && !rest.is_empty() && block.bytes().all(|byte| byte.is_ascii_digit())).then_some(rest)
}

/// Names that plugins make up for a plain text, a number or an address on the web: they say nothing of what was asked.
pub(super) fn says_nothing(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_']);
    let numbered = bare.len() < name.len();
    match bare {
        "input_text" | "input-text" | "your-url" | "your-text" | "numeric-field" | "numeric_field" => true,
        "text" | "url" | "website" | "number" | "hidden" => numbered,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_plugins() {
        assert_eq!(element("name-1-first-name"), Some(("name", "first-name")));
        assert_eq!(element("email_12"), Some(("email", "")));
        assert!(is_element("phone-1") && !is_element("tel-123") && !is_element("text-123") && !is_element("email"));
        assert_eq!(
            (without_block("g12-phone"), without_block("g-recaptcha-response"), without_block("gate-1")),
            (Some("phone"), None, None)
        );
        assert_eq!(
            (number("1.3"), number("12"), number("1.2.3"), number("")),
            (Some(("1", Some("3"))), Some(("12", None)), None, None)
        );
        assert!(says_nothing("text-318") && says_nothing("input_text") && says_nothing("url-1"));
        assert!(!says_nothing("text") && !says_nothing("url") && !says_nothing("your-message"));
    }
}
