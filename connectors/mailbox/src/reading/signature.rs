//! Where a text ends and its author's signature begins. In doubt it is text.

use super::lines::{begins, flat, is_blank, is_rule, lower, tidy};

/// Lines a signature has at most, empty ones left out.
const LINES: usize = 20;
/// The longest line of one, characters.
const WIDTH: usize = 90;

/// How mail programs of telephones sign.
const PROGRAMS: &[&str] = &[
    "sent from my",
    "sent from yahoo",
    "sent from outlook",
    "sent from mail",
    "sent from proton",
    "sent from samsung",
    "sent via ",
    "sent with ",
    "sent using ",
    "get outlook for",
    "отправлено с ",
    "отправлено из ",
    "отправлено от ",
    "послано с ",
    "надіслано з ",
    "надіслано із ",
    "відправлено з ",
    "відправлено із ",
    "gesendet von ",
    "gesendet mit ",
    "von meinem ",
    "von meiner ",
    "diese nachricht wurde von meinem",
    "envoyé de mon",
    "envoyé depuis",
    "envoyé à partir de",
    "enviado desde",
    "enviado do meu",
    "inviato da",
    "verzonden vanaf",
    "verstuurd vanaf",
    "wysłane z",
    "via mobile",
    "получите outlook",
    "downloaden sie outlook",
    "отримати outlook",
    "obtener outlook",
    "télécharger outlook",
];
/// How a letter is closed. After that comes the name.
const CLOSINGS: &[&str] = &[
    "с уважением",
    "с наилучшими пожеланиями",
    "с наилучшими",
    "с найкращими побажаннями",
    "всего доброго",
    "всего наилучшего",
    "с искренним уважением",
    "искренне ваш",
    "искренне ваша",
    "хорошего дня",
    "с пожеланиями",
    "з повагою",
    "всього найкращого",
    "всього доброго",
    "гарного дня",
    "щиро ваш",
    "щиро ваша",
    "best regards",
    "kind regards",
    "warm regards",
    "kindest regards",
    "with best regards",
    "with kind regards",
    "regards",
    "best wishes",
    "sincerely",
    "yours sincerely",
    "sincerely yours",
    "yours faithfully",
    "yours truly",
    "respectfully",
    "all the best",
    "br",
    "rgds",
    "mit freundlichen grüßen",
    "mit freundlichen grüssen",
    "mit freundlichem gruß",
    "mit besten grüßen",
    "freundliche grüße",
    "freundliche grüsse",
    "viele grüße",
    "beste grüße",
    "liebe grüße",
    "herzliche grüße",
    "schöne grüße",
    "mfg",
    "vg",
    "lg",
    "cordialement",
    "bien cordialement",
    "bien à vous",
    "sincères salutations",
    "meilleures salutations",
    "salutations distinguées",
    "saludos",
    "un saludo",
    "saludos cordiales",
    "un cordial saludo",
    "atentamente",
    "cordialmente",
    "atenciosamente",
    "abraços",
    "cordiali saluti",
    "distinti saluti",
    "met vriendelijke groet",
    "z poważaniem",
    "pozdrawiam",
];
/// How people thank at the end: text, unless a block of contacts follows.
const THANKS: &[&str] =
    &["thanks", "thank you", "many thanks", "thx", "спасибо", "благодарю", "дякую", "danke", "vielen dank", "merci", "gracias"];
/// What people add after their signature; it is text again.
const POSTSCRIPTS: &[&str] = &["p.s", "ps", "p.p.s", "з.ы", "зы", "п.с", "пс", "p. s"];
/// What stands before a number or a name in a messenger.
const CONTACTS: &[&str] = &[
    "tel",
    "phone",
    "mob",
    "cell",
    "fax",
    "skype",
    "telegram",
    "whatsapp",
    "viber",
    "тел",
    "моб",
    "факс",
    "ватсап",
    "вайбер",
    "телеграм",
    "сайт",
    "web",
    "e-mail",
    "email",
    "почта",
    "пошта",
];

/// Cuts a text in two. The first part is never empty where the text is not.
pub(super) fn split(text: &str, sender: Option<&str>) -> (String, String) {
    let lines: Vec<&str> = text.lines().collect();
    let readers = [delimiter(&lines), program(&lines, sender), closing(&lines), contacts(&lines, sender)];
    let start = readers.into_iter().flatten().filter(|start| !lines[..*start].iter().all(|line| is_blank(line))).min();
    match start {
        Some(start) => (tidy(lines[..start].iter().copied()), tidy(lines[start..].iter().copied())),
        None => (tidy(lines), String::new()),
    }
}

/// Where the last lines that may be a signature begin.
fn tail(lines: &[&str]) -> usize {
    let shown = lines.iter().enumerate().rev().filter(|(_, line)| !is_blank(line));
    shown.take(LINES + 1).last().map_or(0, |(at, _)| at)
}

/// `-- ` (RFC 3676, 4.3), or a line across with contacts under it.
fn delimiter(lines: &[&str]) -> Option<usize> {
    let tail = tail(lines);
    (tail..lines.len()).find(|at| {
        let line = lines[*at].trim();
        let rest = &lines[at + 1..];
        match line {
            "--" | "\u{2014}" | "\u{2013}" | "\u{2014}\u{2014}" => true,
            _ if is_rule(line) => {
                fits(rest)
                    && rest.iter().filter(|line| is_contact(line)).count() >= 2
                    && !rest.iter().any(|line| is_postscript(line))
            }
            _ => false,
        }
    })
}

/// "Sent from my iPhone" in one of the last lines.
fn program(lines: &[&str], sender: Option<&str>) -> Option<usize> {
    let shown = lines.iter().enumerate().rev().filter(|(_, line)| !is_blank(line)).take(5);
    let (at, _) = shown.filter(|(_, line)| line.chars().count() <= 120 && is_program(line)).last()?;
    // The name in front of it.
    let named = at > 0 && sender.is_some_and(|sender| is_name_of(lines[at - 1], sender));
    Some(if named { at - 1 } else { at })
}

fn is_program(line: &str) -> bool {
    let line = lower(line);
    let line = line.trim_start_matches(['-', '*', '_', '\u{2014}', ' ']);
    PROGRAMS.iter().any(|words| line.starts_with(words))
}

/// "Best regards" with a name and whatever else of contacts under it.
fn closing(lines: &[&str]) -> Option<usize> {
    let tail = tail(lines);
    (tail..lines.len()).find(|at| {
        let rest = &lines[at + 1..];
        closes(lines[*at], CLOSINGS) && is_signature(rest)
            || closes(lines[*at], THANKS) && is_signature(rest) && rest.iter().any(|line| is_contact(line))
    })
}

/// A line that closes a letter: the words alone, or with a name after them.
fn closes(line: &str, words: &[&str]) -> bool {
    let shown = flat(line);
    let shown = shown.trim_start_matches(['-', '\u{2014}', '\u{2013}', '*', '_', ' ']);
    let low = shown.to_lowercase();
    let Some(words) = words.iter().filter(|words| begins(&low, words)).max_by_key(|words| words.len()) else { return false };
    // "Regards, Jane", but not "regards your offer".
    let rest: String = shown.chars().skip(words.chars().count()).collect();
    let rest = rest.trim_end();
    let apart = rest.trim_start().is_empty() || rest.starts_with([',', '.', '!', ';', ':', '*']);
    let named = rest.trim_start().starts_with(char::is_uppercase);
    (apart || named) && rest.split_whitespace().count() <= 5 && !rest.ends_with('?')
}

/// Short lines that say who somebody is, not what they want.
fn is_signature(lines: &[&str]) -> bool {
    fits(lines)
        && !lines.iter().any(|line| is_postscript(line) || line.trim_end().ends_with('?') || line.split_whitespace().count() > 12)
}

fn fits(lines: &[&str]) -> bool {
    lines.iter().filter(|line| !is_blank(line)).count() <= LINES
        && lines.iter().all(|line| line.chars().take(WIDTH + 1).count() <= WIDTH)
}

fn is_postscript(line: &str) -> bool {
    let line = lower(line);
    POSTSCRIPTS.iter().any(|words| begins(&line, words))
}

/// The last paragraph: a name, and contacts under it.
fn contacts(lines: &[&str], sender: Option<&str>) -> Option<usize> {
    let start = lines.iter().rposition(|line| is_blank(line))? + 1;
    let last = &lines[start..];
    let (name, rest) = last.split_first()?;
    let known = sender.is_some_and(|sender| is_name_of(name, sender));
    let needed = if known { 1 } else { 2 };
    let contacts = rest.iter().filter(|line| is_contact(line)).count();
    ((known || is_name(name)) && contacts >= needed && last.len() <= 8 && is_signature(rest)).then_some(start)
}

/// Whether a line looks like a person's name: a few words with capitals.
fn is_name(line: &str) -> bool {
    let line = flat(line);
    let line = line.trim_end_matches(',');
    let words = line.split_whitespace();
    (1..=5).contains(&words.clone().count())
        && words.clone().all(|word| word.starts_with(char::is_uppercase))
        && line.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '.' | ',' | '\'' | '\u{2019}'))
}

fn is_name_of(line: &str, sender: &str) -> bool {
    let (line, sender) = (lower(line), sender.trim().to_lowercase());
    let line = line.trim_matches(|c: char| !c.is_alphanumeric());
    sender.chars().count() >= 3 && (line == sender || sender.split_whitespace().next() == Some(line) && line.len() >= 3)
}

/// A line with a telephone number, an address or a link, and little else.
fn is_contact(line: &str) -> bool {
    let line = lower(line);
    if line.split_whitespace().count() > 8 {
        return false;
    }
    let labelled = CONTACTS.iter().any(|words| line.starts_with(words));
    let linked = line.contains('@') || line.contains("www.") || line.contains("://") || line.contains("t.me/");
    let digits = line.chars().filter(char::is_ascii_digit).count();
    let others = line.chars().filter(|c| c.is_alphabetic()).count();
    labelled && (digits > 0 || linked || line.contains(':')) || linked || (7..=20).contains(&digits) && others <= 12
}
