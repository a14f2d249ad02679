//! Whether two names can be one person's.

use strsim::jaro_winkler;

use super::{NameKey, Tag, given};

/// Below this Jaro-Winkler similarity of folded words, two words are different words.
const DIFFERENT: f64 = 0.70;
/// From this similarity on, two words are spellings of one when the names have other words to disagree with.
const SAME: f64 = 0.80;
/// A nickname is as good as its name, less a little.
const NICKNAME: f64 = 0.95;
/// An initial allows its name, and every other with that letter.
const INITIAL: f64 = 0.90;

/// What two names say about each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Agreement {
    /// One side has no word that names anybody: nothing is said.
    Missing,
    /// They can be one person's.
    Agree {
        /// How alike the aligned words are, 0 to 1.
        score: f64,
        /// A short form was needed: `Саша` and `Александр`.
        nickname: bool,
    },
    /// They are two people's.
    Contradict {
        /// How alike the aligned words are all the same, 0 to 1; high where only a surname is shared.
        score: f64,
    },
}

/// Compares two names by the best alignment of their folded words.
///
/// Order, missing words and a missing patronymic cost nothing. The names contradict if
/// - no words can be aligned: all pairs are below 0.70 and no short form is known;
/// - a suffix differs (`Jr`, `Sr`);
/// - words are left over on both sides, and what is shared is the surname: a family has it in common. What is shared is a
///   given name if the tables have it and do not have what is left over on both sides; it is a surname if it looks like
///   one; and where neither is known, if it is not the first word on both sides. So `Анна Петрова` contradicts
///   `Иван Петров`, and agrees with `Анна Сидорова`, who may have married.
///
/// Two different names of the tables are different however alike they look (`Мария`, `Марина`), and words of up to three
/// letters have to be equal, because at that length one letter is another name.
pub fn compare(a: &NameKey, b: &NameKey) -> Agreement {
    if a == b && !a.is_empty() && a.parts().any(|(tag, _)| is_name(tag)) {
        return Agreement::Agree { score: 1.0, nickname: false };
    }
    // Words that are equally alike are taken in the order of the text; one order of the names makes that the same both ways.
    let (a, b) = if a.as_str() <= b.as_str() { (a, b) } else { (b, a) };
    let (a, b) = (Side::of(a), Side::of(b));
    if !a.is_real || !b.is_real {
        return Agreement::Missing;
    }
    let best = Alignment::best(&a, &b);
    let score = best.score();
    if best.pairs.is_empty() || a.suffix.zip(b.suffix).is_some_and(|(a, b)| a != b) {
        return Agreement::Contradict { score };
    }
    let left_a = a.left(best.pairs.iter().map(|pair| pair.a));
    let left_b = b.left(best.pairs.iter().map(|pair| pair.b));
    let contradict = match (left_a.first(), left_b.first()) {
        (Some(_), Some(_)) => best.is_family_only(&a, &b, &left_a, &left_b),
        // One side says nothing that the other does not: the weaker limit holds, unless only initials were aligned.
        _ => best.pairs.iter().all(|pair| pair.likeness < DIFFERENT),
    };
    if contradict {
        Agreement::Contradict { score }
    } else {
        Agreement::Agree { score, nickname: best.pairs.iter().any(|pair| pair.nickname) }
    }
}

fn is_name(tag: Tag) -> bool {
    matches!(tag, Tag::Word | Tag::Patronymic)
}

/// The words of one name.
struct Side<'k> {
    words: Vec<(Tag, &'k str)>,
    suffix: Option<&'k str>,
    is_real: bool,
}

impl<'k> Side<'k> {
    fn of(key: &'k NameKey) -> Self {
        let mut side = Self { words: Vec::new(), suffix: None, is_real: false };
        for (tag, word) in key.parts() {
            if tag == Tag::Suffix {
                side.suffix = Some(word);
            } else {
                side.is_real |= is_name(tag);
                side.words.push((tag, word));
            }
        }
        side
    }

    /// The places of words that are not aligned; a patronymic may be left out of any name and is not missed.
    fn left(&self, aligned: impl Iterator<Item = usize>) -> Vec<usize> {
        let aligned: Vec<usize> = aligned.collect();
        (0..self.words.len()).filter(|at| self.words[*at].0 != Tag::Patronymic && !aligned.contains(at)).collect()
    }

    fn is_given(&self, at: usize) -> bool {
        self.words[at].0 == Tag::Word && given::is_given(self.words[at].1)
    }
}

/// Two words that are taken for one.
struct Pair {
    a: usize,
    b: usize,
    likeness: f64,
    nickname: bool,
}

#[derive(Default)]
struct Alignment {
    pairs: Vec<Pair>,
    /// The greatest likeness of any two words, for the score of names that cannot be aligned.
    nearest: f64,
}

impl Alignment {
    /// Takes the most alike words first. Names have few words, and words of one name are rarely alike.
    fn best(a: &Side<'_>, b: &Side<'_>) -> Self {
        let mut all = Vec::with_capacity(a.words.len() * b.words.len());
        for (at_a, word_a) in a.words.iter().enumerate() {
            for (at_b, word_b) in b.words.iter().enumerate() {
                let (likeness, nickname) = likeness(*word_a, *word_b);
                all.push(Pair { a: at_a, b: at_b, likeness, nickname });
            }
        }
        all.sort_by(|x, y| y.likeness.total_cmp(&x.likeness));
        let nearest = all.first().map_or(0.0, |pair| pair.likeness);
        // With words left over on both sides a weak pair proves nothing; a lone word has only the one limit.
        let is_lone = a.words.len().min(b.words.len()) == 1;
        let limit = if is_lone { DIFFERENT } else { SAME };
        let mut best = Self { pairs: Vec::new(), nearest };
        for pair in all {
            if pair.likeness >= limit && best.pairs.iter().all(|taken| taken.a != pair.a && taken.b != pair.b) {
                best.pairs.push(pair);
            }
        }
        best
    }

    fn score(&self) -> f64 {
        if self.pairs.is_empty() {
            return self.nearest;
        }
        // At most eight words, so the count is exact.
        let count = u32::try_from(self.pairs.len()).map_or(1.0, f64::from);
        self.pairs.iter().map(|pair| pair.likeness).sum::<f64>() / count
    }

    /// Whether all that is shared is what a family shares, while each side has another word of its own.
    fn is_family_only(&self, a: &Side<'_>, b: &Side<'_>, left_a: &[usize], left_b: &[usize]) -> bool {
        let shared: Vec<&Pair> = self.pairs.iter().filter(|pair| a.words[pair.a].0 != Tag::Patronymic).collect();
        if shared.is_empty() {
            // A father's name at most.
            return true;
        }
        let first_on_both = shared.iter().any(|pair| pair.a == 0 && pair.b == 0);
        let other_given = |side: &Side<'_>, left: &[usize]| left.iter().any(|at| side.is_given(*at));
        let is_initial = |side: &Side<'_>, left: &[usize]| left.iter().any(|at| side.words[*at].0 == Tag::Initial);
        let is_given = shared.iter().any(|pair| a.is_given(pair.a) || b.is_given(pair.b));
        if other_given(a, left_a) && other_given(b, left_b) {
            // `Мария Анна` and `Мария Елена` share a first name; `Анна Мартин` and `Павел Мартин` a surname.
            return !(is_given && first_on_both);
        }
        if is_initial(a, left_a) || is_initial(b, left_b) {
            // `А. Петрова` and `Иван Петров`: an initial that is not the other's letter.
            return !is_given;
        }
        if is_given {
            return false;
        }
        shared.iter().any(|pair| is_surname(a.words[pair.a].1)) || !first_on_both
    }
}

/// How alike two words are, and whether it takes a short form to see it.
fn likeness((tag_a, a): (Tag, &str), (tag_b, b): (Tag, &str)) -> (f64, bool) {
    if tag_a == Tag::Initial || tag_b == Tag::Initial {
        return (if a.chars().next() == b.chars().next() { INITIAL } else { 0.0 }, false);
    }
    if a == b {
        return (1.0, false);
    }
    let similarity = jaro_winkler(a, b);
    if tag_a == Tag::Word
        && tag_b == Tag::Word
        && let (Some(names_a), Some(names_b)) = (given::names(a), given::names(b))
    {
        let shared = given::share(names_a, names_b);
        return if shared { (NICKNAME.max(similarity), true) } else { (similarity.min(DIFFERENT - 0.01), false) };
    }
    let is_short = a.chars().count().min(b.chars().count()) <= 3;
    (if is_short { similarity.min(DIFFERENT - 0.01) } else { similarity }, false)
}

/// Whether a folded word has the ending of a surname.
fn is_surname(folded: &str) -> bool {
    const ENDINGS: [&str; 24] = [
        "ov", "ev", "in", "ski", "țki", "enko", "uk", "čuk", "čenko", "ian", "an", "dze", "švili", "ič", "man", "son", "sen",
        "ez", "er", "aia", "ko", "oglu", "zade", "ai",
    ];
    folded.chars().count() >= 5 && ENDINGS.iter().any(|ending| folded.ends_with(ending))
}
