//! Finding numbers in text: where one begins, where it ends, what is an extension and what is something else.
//!
//! The cut happens before the phone library sees the text, because the library turns letters into keypad digits:
//! `+49 30 123456 (mobile)` would become the valid number `+4930123456662453`.

use super::digits::Digits;

/// The fewest digits after which other text ends a number instead of being passed over. Shorter runs in front of it are
/// a house, a time or a code word.
const ENOUGH: usize = 7;

/// The most digits of an extension; more is a number of its own.
const MAX_EXTENSION: usize = 9;

/// A run of digits that may be a phone.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations of one scan")]
pub(super) struct Candidate {
    pub(super) digits: Digits,
    /// A plus stood in front.
    pub(super) plus: bool,
    /// Nothing stood between the digits.
    pub(super) bare: bool,
    pub(super) extension: Option<String>,
    /// How many digits stand before a dropped `(0)`.
    pub(super) optional_zero: Option<usize>,
    /// Mask characters stand among or after the digits.
    pub(super) masked: bool,
    /// Digits go on after mask characters: something is missing inside.
    pub(super) broken: bool,
    /// How many digits stand before a last bracket, which may be a remark such as `(2)`.
    pub(super) before_bracket: Option<usize>,
    /// After how many digits something stood between them.
    pub(super) gaps: Vec<usize>,
}

impl Candidate {
    const fn new() -> Self {
        Self {
            digits: Digits::new(),
            plus: false,
            bare: true,
            extension: None,
            optional_zero: None,
            masked: false,
            broken: false,
            before_bracket: None,
            gaps: Vec::new(),
        }
    }

    /// Digits alone, without anything that stood around them.
    pub(super) fn of(digits: Digits, plus: bool, bare: bool) -> Self {
        Self { digits, plus, bare, ..Self::new() }
    }
}

/// The numbers of a cleaned text (see [`clean`](super::clean)), in its order.
pub(super) fn scan(text: &str) -> Vec<Candidate> {
    let mut scan = Scan { text, at: 0, current: Candidate::new(), skip_next: false, found: Vec::new() };
    while scan.step() {}
    scan.finish()
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    current: Candidate,
    /// A word such as `ИНН` or `заказ` stood in front: the next digits are no phone.
    skip_next: bool,
    found: Vec<Candidate>,
}

impl<'t> Scan<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn has_enough(&self) -> bool {
        self.current.digits.len() >= ENOUGH
    }

    fn step(&mut self) -> bool {
        let Some(c) = self.rest().chars().next() else { return false };
        match c {
            '0'..='9' => {
                self.current.broken |= self.current.masked;
                // `c` is an ASCII digit, so the cast keeps it.
                self.current.digits.push(self.text.as_bytes()[self.at]);
            }
            '+' => {
                self.end();
                self.current.plus = true;
            }
            '(' => self.bracket(),
            ' ' | '-' | '.' | ')' | '[' | ']' | '\'' | '’' | '`' => self.gap(),
            '/' | '\\' if !self.has_enough() => self.gap(),
            ',' if !self.has_enough() && !self.rest()[1..].starts_with(' ') => self.gap(),
            ',' | ';' | '#' if self.has_enough() => self.extension_mark(c),
            '_' | '*' => self.mask(),
            _ if c.is_alphabetic() => return self.word(),
            '№' => {
                self.end();
                self.skip_next = true;
            }
            ':' if self.current.digits.is_empty() => {}
            _ => self.end(),
        }
        self.at += c.len_utf8();
        true
    }

    fn gap(&mut self) {
        let len = self.current.digits.len();
        if len > 0 && self.current.gaps.last() != Some(&len) {
            self.current.gaps.push(len);
        }
    }

    fn mask(&mut self) {
        // An asterisk in front of a number is a bullet or a footnote, not a hidden digit.
        if !self.current.digits.is_empty() || self.current.plus {
            self.current.masked = true;
        }
    }

    fn bracket(&mut self) {
        let len = self.current.digits.len();
        let international = self.current.plus || self.current.digits.as_str().starts_with("00");
        if international && (1..=5).contains(&len) && self.rest().starts_with("(0)") {
            self.current.optional_zero = Some(len);
            self.at += "0)".len();
        } else if self.has_enough() {
            self.current.before_bracket = Some(len);
        }
        self.gap();
    }

    /// `, 12`, `;12` and `#12` at the end of the text are extensions; anywhere else these signs stand between numbers.
    fn extension_mark(&mut self, sign: char) {
        let tail = self.rest().trim_start_matches([',', ';', '#', ' ']);
        let word = tail.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        if sign != '#' && is_extension_word(word) {
            return self.gap();
        }
        let tail = tail.trim_end_matches([' ', '.', '#', ')']);
        let is_extension = (1..=MAX_EXTENSION).contains(&tail.len()) && tail.bytes().all(|b| b.is_ascii_digit());
        if is_extension && (sign != '#' || tail.len() < ENOUGH) {
            self.current.extension = Some(tail.to_owned());
            self.at = self.text.len();
        }
        self.end();
    }

    /// Reads a word and moves behind it.
    fn word(&mut self) -> bool {
        let rest = self.rest();
        let len = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let word = &self.text[self.at..self.at + len];
        self.at += len;
        if word.chars().nth(1).is_some() && word.chars().all(|c| matches!(c, 'x' | 'х')) {
            self.mask();
        } else if self.has_enough() && is_extension_word(word) && self.take_extension() {
            self.end();
        } else {
            self.end();
            self.skip_next = is_other_number(word);
        }
        true
    }

    /// Reads the digits after an extension word; false if there are none, or so many that they are a number.
    fn take_extension(&mut self) -> bool {
        let rest = self.rest();
        let tail = rest.trim_start_matches([' ', '.', ':', '#', '№', '-', '(', '=']);
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=MAX_EXTENSION).contains(&digits) {
            return false;
        }
        self.current.extension = Some(tail[..digits].to_owned());
        self.at += rest.len() - tail.len() + digits;
        true
    }

    /// Ends the current number, if it is one, and begins another.
    fn end(&mut self) {
        let ended = std::mem::replace(&mut self.current, Candidate::new());
        let is_number = ended.digits.len() >= ENOUGH || ended.masked;
        if is_number && (ended.plus || !self.skip_next) {
            self.found.push(with_bare(ended));
        }
        if is_number {
            self.skip_next = false;
        }
    }

    fn finish(mut self) -> Vec<Candidate> {
        // The only digits of a field are worth a look, however few: some plans have numbers of five.
        let last = std::mem::replace(&mut self.current, Candidate::new());
        let is_only = self.found.is_empty() && (last.plus || !last.digits.is_empty());
        let is_number = last.digits.len() >= ENOUGH || last.masked || is_only;
        if is_number && (last.plus || !self.skip_next) {
            self.found.push(with_bare(last));
        }
        self.found
    }
}

fn with_bare(mut candidate: Candidate) -> Candidate {
    let len = candidate.digits.len();
    candidate.gaps.retain(|gap| *gap < len);
    candidate.bare = candidate.gaps.is_empty();
    candidate
}

/// Words that announce an extension, in the languages of the forms seen, without their dots.
fn is_extension_word(word: &str) -> bool {
    matches!(
        word,
        "x" | "х"
            | "xt"
            | "ext"
            | "extn"
            | "exten"
            | "extension"
            | "extensión"
            | "extensao"
            | "ext-n"
            | "xtn"
            | "int"
            | "interno"
            | "anexo"
            | "ramal"
            | "poste"
            | "apl"
            | "dw"
            | "durchwahl"
            | "nst"
            | "wew"
            | "доб"
            | "добав"
            | "добавочный"
            | "дб"
            | "вн"
            | "внут"
            | "внутр"
            | "внутренний"
            | "дод"
            | "додатковий"
            | "қосымша"
            | "dahili"
    )
}

/// Words in front of digits that are no phone: tax and bank numbers, orders, contracts, post codes.
fn is_other_number(word: &str) -> bool {
    matches!(
        word,
        "инн"
            | "кпп"
            | "огрн"
            | "огрнип"
            | "бик"
            | "снилс"
            | "окпо"
            | "едрпоу"
            | "иин"
            | "бин"
            | "заказ"
            | "заказа"
            | "договор"
            | "договора"
            | "артикул"
            | "индекс"
            | "счет"
            | "счёт"
            | "паспорт"
            | "iban"
            | "inn"
            | "order"
            | "invoice"
            | "article"
            | "sku"
            | "zip"
            | "vat"
            | "id"
    )
}
