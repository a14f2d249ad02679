//! What every letter of the gateway has: a reader, times as the reader writes them, and links.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leadgate_core::language::Language;
use serde::Serialize;

use super::clean;

/// Who reads it.
#[derive(Clone, Debug)]
pub struct Reader {
    /// In which language.
    pub language: Language,
    /// By which clock.
    pub zone: TimeZone,
    /// Their name; may be empty.
    pub name: String,
}

impl Reader {
    /// A time by the reader's clock: `21.11.2026 22:42`, `21 Nov 2026 22:42`.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let format = match self.language {
            Language::Ru => "%d.%m.%Y %H:%M",
            Language::En => "%-d %b %Y %H:%M",
        };
        at.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// A day by the reader's calendar.
    pub(super) fn day(&self, at: Timestamp) -> String {
        let format = match self.language {
            Language::Ru => "%d.%m.%Y",
            Language::En => "%-d %b %Y",
        };
        at.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// How long something takes or took, in its two largest units.
    pub(super) fn length(&self, seconds: i64) -> String {
        let units = match self.language {
            Language::Ru => ["д", "ч", "мин", "с"],
            Language::En => ["d", "h", "min", "s"],
        };
        let seconds = seconds.max(0);
        let parts = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60];
        let first = parts.iter().position(|part| *part > 0).unwrap_or(3);
        // Seconds count for what is over at once only.
        let last = if first == 3 { 3 } else { (first + 1).min(2) };
        let told: Vec<String> =
            (first..=last).filter(|at| parts[*at] > 0 || *at == first).map(|at| format!("{} {}", parts[at], units[at])).collect();
        told.join(" ")
    }
}

/// A link of the gateway's own: a button in HTML, a line in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Link<'a> {
    /// What it says.
    pub label: &'a str,
    /// Where it leads: `https://` or `http://`.
    pub url: &'a str,
}

/// A link as templates have it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct LinkView {
    label: String,
    url: String,
    /// The one that is meant most.
    main: bool,
}

/// Links as templates have them; what leads elsewhere than to a page is left out.
pub(super) fn links(links: &[Link<'_>]) -> Vec<LinkView> {
    let pages = links.iter().filter(|link| link.url.starts_with("https://") || link.url.starts_with("http://"));
    let pages = pages.filter(|link| !link.url.contains(|c: char| c.is_whitespace() || c.is_control()));
    pages
        .enumerate()
        .map(|(at, link)| LinkView { label: clean::line(link.label, 60), url: link.url.to_owned(), main: at == 0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_readers() {
        let at: Timestamp = "2026-11-21T19:42:45Z".parse().unwrap();
        let reader = |language, zone| Reader { language, zone: TimeZone::get(zone).unwrap(), name: String::new() };
        assert_eq!(reader(Language::Ru, "Europe/Moscow").time(at), "21.11.2026 22:42");
        assert_eq!(reader(Language::En, "America/New_York").time(at), "21 Nov 2026 14:42");
        assert_eq!(reader(Language::Ru, "Asia/Vladivostok").day(at), "22.11.2026");
        let russian = reader(Language::Ru, "Europe/Moscow");
        let told = [0, 59, 60, 3_661, 90_000, 864_000, -5].map(|seconds| russian.length(seconds));
        assert_eq!(told, ["0 с", "59 с", "1 мин", "1 ч 1 мин", "1 д 1 ч", "10 д", "0 с"]);
    }

    #[test]
    fn only_pages_are_linked() {
        let all = [
            Link { label: "Take", url: "https://leads.zavod.ru/l/1" },
            Link { label: "Bad", url: "javascript:alert(1)" },
            Link { label: "Bad", url: "https://x y" },
        ];
        let views = links(&all);
        assert_eq!(views.len(), 1);
        assert!(views[0].main);
    }
}
