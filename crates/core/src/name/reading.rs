//! Reading a name field: which words are a name.

use crate::text::{self, is_alphabetic, is_alphanumeric, is_russian};

use super::{PersonName, Tag, Token, fold, given, key::MAX_TOKENS, words};

/// The most characters that are looked at for words; the text itself is kept whole.
const MAX_CHARS: usize = 200;

/// The most words of a name; Spanish and Arabic ones come near it.
const MAX_WORDS: usize = 6;

/// Reads a name. Total: any text is kept in `typed`, and gives tokens only where words of it are a name.
///
/// ```
/// use leadgate_core::name;
///
/// assert!(name::read("ИП Петрова Анна Сергеевна").is_real());
/// assert!(!name::read("тест").is_real());
/// ```
pub fn read(typed: &str) -> PersonName {
    let typed = cleaned(typed);
    let tokens = if is_no_name(&typed) { Vec::new() } else { tokens(&typed) };
    PersonName { typed, tokens }
}

/// Single blanks, no control and no invisible characters; everything that can be seen stays.
fn cleaned(typed: &str) -> String {
    let mut out = String::with_capacity(typed.len());
    for c in typed.chars() {
        if is_russian(c) || c.is_ascii_graphic() {
            out.push(c);
            continue;
        }
        // The joiner U+200D holds emoji together, and is visible in that sense.
        let invisible = matches!(c, '\u{ad}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_whitespace() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !c.is_control() && !invisible {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// A whole text that names nobody.
fn is_no_name(text: &str) -> bool {
    let lower = text::lower(text);
    let bare = lower.trim_matches(|c: char| !is_alphanumeric(c));
    words::is_junk_text(bare)
        || lower.contains("://")
        || lower.starts_with("www.")
        || lower
            .split(' ')
            .any(|word| word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')))
        || !text.chars().any(is_alphabetic)
        || text.chars().filter(char::is_ascii_digit).count() >= 7
        || bare.split(|c: char| !is_alphanumeric(c)).any(words::is_legal_form)
}

fn tokens(text: &str) -> Vec<Token> {
    let text = match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    let (text, decorated) = undecorated(text);
    let mut found: Vec<Token> = Vec::new();
    for word in text.split(is_separator).filter(|word| !word.is_empty()) {
        add_word(word, &mut found);
    }
    let count = |tags: &[Tag]| found.iter().filter(|token| tags.contains(&token.tag)).count();
    if count(&[Tag::Word]) > MAX_WORDS || count(&[Tag::Word, Tag::Initial, Tag::Suffix, Tag::Patronymic]) > MAX_TOKENS {
        // A sentence, not a name.
        return Vec::new();
    }
    if decorated && found.iter().any(|token| token.tag == Tag::Word && given::is_given(&token.fold)) {
        // A messenger's display name (`Anna | nails`): only what is surely a name counts.
        found.retain(|token| token.tag != Tag::Word || given::is_given(&token.fold));
    }
    mark_patronymics(&mut found);
    found
}

/// The part in front of a bar or a bullet, and whether there was one; remarks in brackets are left out.
fn undecorated(text: &str) -> (String, bool) {
    let (front, decorated) = match text.find(['|', '•', '·', '⚡', '★', '/']) {
        Some(at) if text[..at].chars().any(is_alphabetic) => (&text[..at], true),
        _ => (text, false),
    };
    let mut depth = 0_usize;
    let mut out = String::with_capacity(front.len());
    for c in front.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => {
                depth = depth.saturating_sub(1);
                out.push(' ');
            }
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    if out.chars().any(is_alphabetic) { (out, decorated) } else { (front.to_owned(), decorated) }
}

fn is_separator(c: char) -> bool {
    // Marks belong to their letter; apostrophes are inside words (`O'Brien`, `Мар'яна`).
    !(is_alphanumeric(c) || matches!(c, '\'' | '’' | 'ʼ' | '`' | '-' | '.' | '\u{300}'..='\u{36f}'))
}

/// Adds a word between blanks, which may be initials (`И.И.`) or a double name (`Анна-Мария`).
fn add_word(word: &str, found: &mut Vec<Token>) {
    let lower = text::lower(word);
    let plain = lower.trim_matches('.');
    if words::is_title(plain) && plain.chars().nth(1).is_some() {
        found.push(Token { text: word.to_owned(), fold: fold(plain), tag: Tag::Title });
        return;
    }
    let mut parts = word.split(['.', '-']).filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        // `Мария2`: digits behind a name tell accounts apart, not people.
        let lower = text::lower(part);
        let suffix = words::suffix(&lower).filter(|_| found.iter().any(|token| token.tag == Tag::Word));
        let mut letters = part.to_owned();
        letters.retain(|c| is_russian(c) || !c.is_numeric());
        let folded = fold(&letters);
        let token = |fold: String, tag| Token { text: letters.clone(), fold, tag };
        if let Some(suffix) = suffix {
            found.push(Token { text: part.to_owned(), fold: suffix.to_owned(), tag: Tag::Suffix });
        } else if words::is_patronymic_word(&lower) {
            if let Some(father) = found.iter_mut().rev().find(|token| token.tag == Tag::Word) {
                father.tag = Tag::Patronymic;
            }
        } else if folded.is_empty() || words::is_gibberish(&text::lower(&letters)) {
            // No letters of any script, or a hand on the keyboard.
        } else if letters.chars().nth(1).is_none() && letters.len() <= 2 {
            found.push(token(folded, Tag::Initial));
        } else if words::is_title(&lower) && (parts.peek().is_none() || lower.chars().count() <= 3) {
            found.push(token(folded, Tag::Title));
        } else {
            found.push(token(folded, Tag::Word));
        }
    }
}

/// Marks patronymics where their place makes them sure: behind a given name, with a surname somewhere or with nothing
/// else. A lone word, and a word that would leave no name, stays a word: `Роман Абрамович` may have a surname.
fn mark_patronymics(tokens: &mut [Token]) {
    let words = tokens.iter().filter(|token| token.tag == Tag::Word).count();
    if words < 2 {
        return;
    }
    for at in 1..tokens.len() {
        let before = &tokens[at - 1];
        let follows_name = before.tag == Tag::Word && (words >= 3 || given::is_given(&before.fold));
        let token = &mut tokens[at];
        if follows_name && token.tag == Tag::Word && words::has_patronymic_ending(&text::lower(&token.text)) {
            token.tag = Tag::Patronymic;
            return;
        }
    }
}
