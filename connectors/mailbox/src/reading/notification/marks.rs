//! Where labels stand.

use leadgate_core::attribution::attribution_key;
use leadgate_wire::fields::{self, Found, Kind};

use super::lines::{Cell, Line, is_rule};
use super::words;

/// How a label is set apart from its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Style {
    /// `Name: Anna`.
    Colon,
    /// A line of its own: `Name:`.
    Own,
    /// A line of its own, in bold letters or underlined.
    Head,
    /// A row of a table.
    Cells,
    /// In bold letters before its value, without a colon.
    Strong,
    /// `Name - Anna`, `name = Anna`.
    Dash,
    /// A line of its own, and nothing but its words shows it.
    Bare,
}

/// A label, and its value if that stands beside it.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub label: String,
    pub value: Option<String>,
    pub style: Style,
    /// What the label says it is.
    pub found: Found,
    /// Where the value links to.
    pub link: Option<String>,
}

impl Mark {
    fn new(label: &str, value: Option<&str>, style: Style, link: Option<&String>) -> Self {
        let label = label.trim().to_owned();
        let value = value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        let found = fields::classify(std::slice::from_ref(&label));
        Self { label, value, style, found, link: link.cloned() }
    }

    /// Whether forms have such a field.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self.found.kind, Kind::Other | Kind::Service | Kind::Secret) || is_campaign(&self.label)
    }

    /// Whether it tells of the delivery and not of the person: a page, a date, an address of the network.
    pub(super) fn is_envelope(&self) -> bool {
        matches!(self.found.kind, Kind::Page | Kind::Landing | Kind::Referrer | Kind::FormId | Kind::FormName)
            || is_campaign(&self.label)
            || words::is_envelope(&self.label)
    }
}

fn is_campaign(label: &str) -> bool {
    attribution_key(&label.trim().replace([' ', '-'], "_")).is_some()
}

/// The labels of a line; `next` is the line below it.
pub(super) fn marks(line: &Line, next: Option<&Line>) -> Vec<Mark> {
    match line.cells.as_slice() {
        [] => Vec::new(),
        [cell] => several(cell).unwrap_or_else(|| one(cell, next).into_iter().collect()),
        cells => row(cells),
    }
}

/// A row: label and value, or several of them, each label with its colon.
fn row(cells: &[Cell]) -> Vec<Mark> {
    // A number in front counts the rows.
    let cells = match cells {
        [first, rest @ ..] if rest.len() > 1 && first.text.trim_end_matches('.').bytes().all(|b| b.is_ascii_digit()) => rest,
        all => all,
    };
    let labelled = |cell: &Cell| cell.text.ends_with(':') && label(&cell.text).is_some();
    if cells.len() > 2 && cells.len().is_multiple_of(2) && cells.iter().step_by(2).all(labelled) {
        return cells.chunks(2).flat_map(row).collect();
    }
    let [first, rest @ ..] = cells else { return Vec::new() };
    let Some(name) = label(&first.text) else { return Vec::new() };
    let value = rest.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" ");
    let link = rest.iter().find_map(|cell| cell.link.as_ref());
    vec![Mark::new(name, Some(&value), Style::Cells, link)]
}

/// `Name: Anna; Phone: +7 916 ...; utm_source: x`: several in a line, if at least two of them are surely fields.
fn several(cell: &Cell) -> Option<Vec<Mark>> {
    let text = bulletless(&cell.text);
    let sign = [';', '|', ','].into_iter().find(|sign| text.contains(*sign)).filter(|_| text.len() <= 1000)?;
    let mut marks: Vec<Mark> = Vec::new();
    for piece in text.split(sign) {
        let pair = at_colon(piece).and_then(|(before, after)| Some((label(before)?, after)));
        let mark = pair.map(|(name, after)| Mark::new(name, Some(after), Style::Colon, cell.link.as_ref()));
        match (mark.filter(|mark| mark.is_known() && mark.found.exact || is_campaign(&mark.label)), marks.last_mut()) {
            (Some(mark), _) => marks.push(mark),
            // Part of the value before.
            (None, Some(Mark { value: Some(value), .. })) => {
                value.push(sign);
                value.push_str(piece.trim_end());
            }
            (None, _) => return None,
        }
    }
    (marks.len() >= 2).then_some(marks)
}

fn one(cell: &Cell, next: Option<&Line>) -> Option<Mark> {
    let text = bulletless(&cell.text);
    let link = cell.link.as_ref();
    let strong = cell.strong.saturating_sub(cell.text.len() - text.len());
    if let Some((before, after)) = at_colon(text)
        && let Some(name) = label(before)
    {
        let style = match after.trim().is_empty() {
            true if cell.is_strong() => Style::Head,
            true => Style::Own,
            false => Style::Colon,
        };
        return Some(Mark::new(name, Some(after), style, link));
    }
    if strong > 0 && strong < text.len() && text.is_char_boundary(strong) {
        let (before, after) = text.split_at(strong);
        let after = after.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '-' | '–' | '—'));
        return label(before).map(|name| Mark::new(name, Some(after), Style::Strong, link));
    }
    let underlined = || next.is_some_and(|next| next.cells.len() == 1 && next.text().len() > 2 && is_rule(&next.text()));
    if cell.is_strong() || underlined() {
        return label(text).map(|name| Mark::new(name, None, Style::Head, link));
    }
    let known = |mark: &Mark| mark.is_known() && mark.found.exact;
    for sign in [" - ", " – ", " — ", " = ", "="] {
        let divided = text.split_once(sign).and_then(|(before, after)| Some((label(before)?, after)));
        // The words must carry what the sign does not.
        let words_tell = |mark: &Mark| mark.is_known() || words::is_envelope(&mark.label);
        if let Some(mark) = divided.map(|(name, after)| Mark::new(name, Some(after), Style::Dash, link)).filter(words_tell) {
            return Some(mark);
        }
    }
    // Longer ones are no whole labels, and most lines of letters are longer.
    let short = text.len() <= 80 && text.split_whitespace().count() <= 5;
    label(text).filter(|_| short).map(|name| Mark::new(name, None, Style::Bare, link)).filter(known)
}

/// A line without what counts it or marks it as one of a list.
fn bulletless(text: &str) -> &str {
    let rest = text.trim_start_matches(['•', '·', '●', '▪', '►', '*', '-', '–', '✓', '✔']);
    let cut = text.len() - rest.len();
    if cut > 0 && cut <= 4 && rest.starts_with(' ') { rest.trim_start() } else { text }
}

/// A line at its first colon; addresses and times have colons of their own.
fn at_colon(text: &str) -> Option<(&str, &str)> {
    let at = text.find([':', '：'])?;
    let (before, after) = text.split_at(at);
    let after = after.trim_start_matches([':', '：', '*', '_']);
    let time = before.ends_with(|c: char| c.is_ascii_digit()) && after.starts_with(|c: char| c.is_ascii_digit());
    (!after.starts_with("//") && !time).then_some((before, after))
}

/// A text that may be a label, without what stands around it.
fn label(text: &str) -> Option<&str> {
    let text = text.trim().trim_end_matches([':', '：', ' ']).trim_matches(['*', '_']).trim();
    let text = text.strip_suffix("...").or(text.strip_suffix('…')).unwrap_or(text).trim_end();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let sentence = text.len() > 6 && text.ends_with(['.', '!', ',', ';']);
    let fits = !text.is_empty()
        && text.chars().count() <= 90
        && text.split_whitespace().count() <= 12
        && letters > 0
        && !sentence
        && !text.starts_with('>')
        && !text.contains(['@', '\n', '<', '{'])
        && !text.contains("://");
    fits.then_some(text)
}

/// A table whose first row names its columns: the labels, if this is such a row and `next` has as many cells.
pub(super) fn header<'l>(line: &'l Line, next: &Line) -> Option<Vec<&'l str>> {
    if line.cells.len() < 2 || line.cells.len() != next.cells.len() {
        return None;
    }
    let names: Vec<&str> = line.cells.iter().map(|cell| label(&cell.text)).collect::<Option<_>>()?;
    let known = |cell: &Cell| label(&cell.text).is_some_and(|name| Mark::new(name, None, Style::Cells, None).is_known());
    let of_people = line.cells.iter().filter(|cell| known(cell)).count();
    // The value of a field may be a word that is a label elsewhere; two of three are none.
    (of_people * 3 >= line.cells.len() * 2 && of_people >= 2 && !next.cells.iter().any(known)).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::super::lines::plain;
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>, Style)> {
        let lines = plain(text);
        let marks = marks(&lines[0], lines.get(1));
        marks.into_iter().map(|mark| (mark.label, mark.value, mark.style)).collect()
    }

    fn mark(label: &str, value: Option<&str>, style: Style) -> Vec<(String, Option<String>, Style)> {
        vec![(label.to_owned(), value.map(str::to_owned), style)]
    }

    #[test]
    fn labels_and_values() {
        for (text, expected) in [
            ("Name: Anna", mark("Name", Some("Anna"), Style::Colon)),
            ("• Телефон : +7 916", mark("Телефон", Some("+7 916"), Style::Colon)),
            ("*Имя:* Анна", mark("Имя", Some("Анна"), Style::Colon)),
            ("*Имя* Анна", mark("Имя", Some("Анна"), Style::Strong)),
            ("Message:", mark("Message", None, Style::Own)),
            ("Имя\n*****", mark("Имя", None, Style::Head)),
            ("--- E-Mail ---", mark("E-Mail", None, Style::Head)),
            ("Телефон\t+7 916", mark("Телефон", Some("+7 916"), Style::Cells)),
            ("1\tName\tAnna", mark("Name", Some("Anna"), Style::Cells)),
            ("Имя - Анна", mark("Имя", Some("Анна"), Style::Dash)),
            ("name=Anna", mark("name", Some("Anna"), Style::Dash)),
            ("Телефон", mark("Телефон", None, Style::Bare)),
            ("https://a.example/b", vec![]),
            ("10:30 будет удобно", vec![]),
            ("a@b.example: Anna", vec![]),
            ("> Name: Anna", vec![]),
            ("Мы - компания", vec![]),
            ("Добрый день", vec![]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        assert_eq!(read("Name:\tAnna\tTel:\t1").len(), 2);
        let colon = |label: &str, value: &str| mark(label, Some(value), Style::Colon).remove(0);
        assert_eq!(read("Имя: Анна, Петрова; Тел: 1; 2"), [colon("Имя", "Анна, Петрова"), colon("Тел", "1; 2")]);
        assert_eq!(read("Адрес: Лесная, дом: 5"), [colon("Адрес", "Лесная, дом: 5")]);
    }

    #[test]
    fn rows_of_names() {
        let lines = plain("Имя\tТелефон\tГород\nАнна\t+7 916\tТверь");
        assert_eq!(header(&lines[0], &lines[1]), Some(vec!["Имя", "Телефон", "Город"]));
        let lines = plain("Имя\tАнна\nТелефон\t+7 916");
        assert_eq!(header(&lines[0], &lines[1]), None);
    }
}
