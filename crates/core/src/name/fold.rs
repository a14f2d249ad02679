//! One key for the spellings of one word: Cyrillic, its romanisations, and Latin with and without marks.
//!
//! The rules are those of Russian, Ukrainian and Kazakh names as passports (ICAO 9303, GOST), BGN/PCGN, German, French
//! and English newspapers write them. They work on lower-case ASCII and four symbols of their own, and run until nothing
//! changes, so that a key is its own key.

use crate::text::{is_russian, lower_russian};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Rounds of rules after which a word is taken as it is. Each round only shortens a word or moves letters towards the
/// ends of the replacement chains; real words need two or three.
const MAX_ROUNDS: usize = 24;

/// The fold key of a word: letters only, lower case, one symbol each for the sounds of `ш`, `ч`, `ж` and `ц`.
///
/// Spellings such as `Щербаков`, `Shcherbakov` and `Schtscherbakow` come out equal or a letter apart, and female surnames
/// like the male ones. Idempotent: the fold of a fold is itself.
///
/// ```
/// use leadgate_core::name::fold;
///
/// assert_eq!(fold("Соловьёва"), fold("Solovyov"));
/// assert_eq!(fold("Dmitriy"), fold("Дмитрий"));
/// ```
pub fn fold(word: &str) -> String {
    let mut letters = transliterate(word);
    for _ in 0..MAX_ROUNDS {
        let next = masculine(round(&letters));
        if next == letters {
            break;
        }
        letters = next;
    }
    letters.iter().map(|letter| shown(*letter)).collect()
}

const SH: u8 = b'S';
const CH: u8 = b'C';
const ZH: u8 = b'Z';
const TS: u8 = b'T';

/// How the symbols look in a key: as letters that read as these sounds in the languages that have them.
fn shown(letter: u8) -> char {
    match letter {
        SH => 'š',
        CH => 'č',
        ZH => 'ž',
        TS => 'ț',
        _ => char::from(letter),
    }
}

fn transliterate(word: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + 4);
    for c in word.chars() {
        if c.is_ascii() {
            if c.is_ascii_alphabetic() {
                out.push(c.to_ascii_lowercase() as u8);
            }
        } else if is_russian(c) {
            letter(lower_russian(c), &mut out);
        } else {
            for c in c.to_lowercase() {
                letter(c, &mut out);
            }
        }
    }
    out
}

fn letter(c: char, out: &mut Vec<u8>) {
    if let Some(letters) = cyrillic(c).or_else(|| latin(c)) {
        out.extend_from_slice(letters.as_bytes());
        return;
    }
    // Compatibility forms and letters with marks: their base, which may be in a table again.
    let mut base = [c].into_iter().nfkd().filter(|c| !is_combining_mark(*c)).peekable();
    if base.peek().is_some_and(|first| *first != c) {
        for part in base.flat_map(char::to_lowercase) {
            match cyrillic(part).or_else(|| latin(part)) {
                Some(letters) => out.extend_from_slice(letters.as_bytes()),
                None => fallback(part, out),
            }
        }
    } else {
        fallback(c, out);
    }
}

/// Scripts without a table here: Greek, Georgian, Armenian, Arabic, Han and the rest.
fn fallback(c: char, out: &mut Vec<u8>) {
    if c.is_alphabetic() {
        let letters = any_ascii::any_ascii_char(c).bytes();
        out.extend(letters.filter(u8::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()));
    }
}

fn cyrillic(c: char) -> Option<&'static str> {
    Some(match c {
        'а' | 'ә' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' | 'ғ' => "g",
        'д' | 'ђ' => "d",
        'е' | 'ё' | 'э' => "e",
        'є' => "ye",
        'ж' => "Z",
        'з' => "z",
        'и' | 'і' | 'ы' | 'ї' => "i",
        'й' | 'ј' => "y",
        'к' | 'қ' => "k",
        'л' | 'љ' => "l",
        'м' => "m",
        'н' | 'ң' | 'њ' => "n",
        'о' | 'ө' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' | 'ћ' => "t",
        'у' | 'ұ' | 'ү' | 'ў' => "u",
        'ф' => "f",
        'х' | 'һ' | 'ҳ' => "h",
        'ц' => "T",
        'ч' | 'ҷ' => "C",
        'џ' => "dZ",
        'ш' | 'щ' => "S",
        'ю' => "yu",
        'я' => "ya",
        'ъ' | 'ь' | '’' | 'ʼ' => "",
        _ => return None,
    })
}

fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'š' | 'ş' | 'ș' => "S",
        'č' | 'ć' => "C",
        'ž' | 'ż' => "Z",
        'ț' | 'ţ' => "T",
        'ß' | 'ç' => "s",
        'æ' | 'å' => "a",
        'ø' | 'œ' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "t",
        'ı' => "i",
        'ğ' => "g",
        'ñ' => "n",
        _ => return None,
    })
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u')
}

/// Replacements of letter groups, the longest first. None produces a group that an earlier one of its kind would take
/// for another sound, apart from what the next round repairs.
const GROUPS: [(&[u8], &[u8]); 36] = [
    (b"schtsch", b"S"),
    (b"chtch", b"S"),
    (b"shch", b"S"),
    (b"stch", b"S"),
    (b"szcz", b"S"),
    (b"tsch", b"C"),
    (b"tch", b"C"),
    (b"sch", b"S"),
    (b"chr", b"kr"),
    (b"dsch", b"dZ"),
    (b"dzh", b"dZ"),
    (b"dj", b"dZ"),
    (b"sh", b"S"),
    (b"sz", b"S"),
    (b"SC", b"S"),
    (b"ch", b"C"),
    (b"cz", b"C"),
    (b"zh", b"Z"),
    (b"kh", b"h"),
    (b"ts", b"T"),
    (b"tz", b"T"),
    (b"tc", b"T"),
    (b"ph", b"f"),
    (b"th", b"t"),
    (b"gh", b"g"),
    (b"rh", b"r"),
    (b"wh", b"v"),
    (b"ck", b"k"),
    (b"cc", b"k"),
    (b"qu", b"kv"),
    (b"x", b"ks"),
    (b"w", b"v"),
    (b"q", b"k"),
    (b"ou", b"u"),
    (b"oo", b"u"),
    (b"ah$", b"a"),
];

fn group_at(rest: &[u8]) -> Option<(usize, &'static [u8])> {
    // Most letters begin no group.
    if !matches!(rest[0], b's' | b'c' | b't' | b'd' | b'S' | b'z' | b'k' | b'p' | b'g' | b'r' | b'w' | b'q' | b'x' | b'o' | b'a')
    {
        return None;
    }
    let alike = GROUPS.iter().filter(|(group, _)| group[0] == rest[0] && (group.len() == 1 || rest.get(1) == Some(&group[1])));
    alike.into_iter().find_map(|(group, by)| match group.strip_suffix(b"$") {
        Some(ending) => (rest == ending).then_some((ending.len(), *by)),
        None => rest.starts_with(group).then_some((group.len(), *by)),
    })
}

/// One pass over a word.
fn round(letters: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(letters.len() + 2);
    let mut at = 0;
    while let Some(rest) = letters.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((len, by)) = group_at(rest) {
            for letter in by {
                push(&mut out, *letter);
            }
            at += len;
            continue;
        }
        let next = rest.get(1).copied();
        let before = out.last().copied();
        let after_consonant = before.is_some_and(|before| !is_vowel(before));
        match (rest[0], next) {
            // `ё` after a consonant: Fyodor, Pjotr, Semyon.
            (b'y' | b'j', Some(b'o')) if after_consonant => {
                push(&mut out, b'e');
                at += 1;
            }
            // A glide before a vowel: Yelena, Mariya, Soloviev.
            (b'y' | b'j' | b'i', Some(next)) if is_vowel(next) && next != b'i' => {}
            (b'y' | b'j', _) => push(&mut out, b'i'),
            // Umlauts written out: Mueller, Joerg, Haendel.
            (vowel @ (b'u' | b'o' | b'a'), Some(b'e'))
                if after_consonant && rest.get(2).is_some_and(|third| !is_vowel(*third)) =>
            {
                push(&mut out, vowel);
                at += 1;
            }
            (b'c', Some(b'e' | b'i' | b'y')) => push(&mut out, b's'),
            (b'c', _) => push(&mut out, b'k'),
            (letter, _) => push(&mut out, letter),
        }
        at += 1;
    }
    out
}

/// Doubled letters are one.
fn push(out: &mut Vec<u8>, letter: u8) {
    if out.last() != Some(&letter) {
        out.push(letter);
    }
}

/// Surname endings: one form for men and women, and for the French `-off`.
fn masculine(mut letters: Vec<u8>) -> Vec<u8> {
    const ENDINGS: [(&[u8], &[u8]); 14] = [
        (b"skaia", b"ski"),
        (b"skaa", b"ski"),
        (b"skaya", b"ski"),
        (b"skaja", b"ski"),
        (b"skoi", b"ski"),
        (b"skii", b"ski"),
        (b"skei", b"ski"),
        (b"Tkaia", b"Tki"),
        (b"ska", b"ski"),
        (b"Tka", b"Tki"),
        (b"ova", b"ov"),
        (b"eva", b"ev"),
        (b"of", b"ov"),
        (b"ef", b"ev"),
    ];
    let len = letters.len();
    if len < 5 {
        return letters;
    }
    if letters.ends_with(b"ina") {
        // Women's given names have the ending, too, and men have some of them without it.
        if len >= 6 && !is_female_name(&letters) {
            letters.truncate(len - 1);
        }
        return letters;
    }
    // A stem of at least two letters: Eva and Olaf are not surnames.
    if let Some((ending, by)) = ENDINGS.iter().find(|(ending, _)| letters.ends_with(ending) && len >= ending.len() + 2) {
        // Joseph and Yusef are given names.
        if !matches!(&letters[..], b"osef" | b"iosef" | b"usef" | b"stef" | b"ozef" | b"rudolof") {
            letters.truncate(len - ending.len());
            letters.extend_from_slice(by);
        }
    }
    letters
}

fn is_female_name(folded: &[u8]) -> bool {
    const NAMES: [&[u8]; 44] = [
        b"marina",
        b"irina",
        b"arina",
        b"galina",
        b"polina",
        b"alina",
        b"karina",
        b"regina",
        b"sabina",
        b"albina",
        b"kristina",
        b"hristina",
        b"ekaterina",
        b"katerina",
        b"katarZina",
        b"valentina",
        b"angelina",
        b"anzelina",
        b"anZelina",
        b"evelina",
        b"antonina",
        b"zarina",
        b"madina",
        b"adelina",
        b"akulina",
        b"paulina",
        b"martina",
        b"bettina",
        b"kapitolina",
        b"ZaZmina",
        b"Zasmina",
        b"iasmina",
        b"asmina",
        b"magdalina",
        b"melina",
        b"selina",
        b"emilina",
        b"romina",
        b"evgina",
        b"karolina",
        b"elvina",
        b"katarina",
        b"sadina",
        b"tomina",
    ];
    NAMES.contains(&folded)
}
