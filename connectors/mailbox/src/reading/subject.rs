//! What mail programs put in front of a subject.

/// What a mail is by the outermost prefix of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// `Re:`, `Ответ:`, `AW:` ...
    Reply,
    /// `Fwd:`, `Пересл:`, `WG:` ...
    Forward,
}

const REPLIES: &[&str] =
    &["re", "aw", "antw", "antwort", "ha", "на", "ответ", "отв", "відп", "відповідь", "resp", "respuesta", "sv", "odp"];
const FORWARDS: &[&str] = &[
    "fwd",
    "fw",
    "wg",
    "wtr",
    "wtrlt",
    "weitergeleitet",
    "rv",
    "reenv",
    "reenviado",
    "пересл",
    "переслано",
    "пересылка",
    "пер",
    "фвд",
    "пересилання",
    "tr",
    "i",
    "enc",
    "doorst",
    "pd",
];

/// The most prefixes that are taken off.
const MOST: usize = 30;

/// The outermost prefix, and the subject without any.
pub(super) fn split(subject: &str) -> (Option<Prefix>, &str) {
    let mut first = None;
    let mut rest = subject.trim();
    for _ in 0..MOST {
        let Some((prefix, below)) = take(rest) else { break };
        first.get_or_insert(prefix);
        rest = below;
    }
    (first, rest)
}

/// One prefix: `Re:`, `RE[2]:`, `Fwd (3):`.
fn take(subject: &str) -> Option<(Prefix, &str)> {
    let (word, rest) = subject.split_once([':', '：'])?;
    if word.len() > 40 {
        return None;
    }
    let word =
        word.trim().trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^' | ' ' | '*' | '.'));
    let word = word.to_lowercase();
    let prefix = if REPLIES.contains(&word.as_str()) {
        Prefix::Reply
    } else if FORWARDS.contains(&word.as_str()) {
        Prefix::Forward
    } else {
        return None;
    };
    Some((prefix, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_off() {
        for (subject, prefix, bare) in [
            ("Re: Прайс", Some(Prefix::Reply), "Прайс"),
            ("RE[2]: Fwd: Прайс", Some(Prefix::Reply), "Прайс"),
            ("Fwd: Re: Прайс", Some(Prefix::Forward), "Прайс"),
            ("Пересл: Прайс", Some(Prefix::Forward), "Прайс"),
            ("Ответ: Re(3): Прайс", Some(Prefix::Reply), "Прайс"),
            ("WG: AW: Angebot", Some(Prefix::Forward), "Angebot"),
            ("RV: Consulta", Some(Prefix::Forward), "Consulta"),
            ("Заказ: окна", None, "Заказ: окна"),
            ("Regarding: it", None, "Regarding: it"),
            ("re", None, "re"),
            ("Re:", Some(Prefix::Reply), ""),
        ] {
            assert_eq!(split(subject), (prefix, bare), "{subject}");
        }
    }
}
