//! Attribution: which campaign, click and page an enquiry came from.
//!
//! A [`Touch`] belongs to one activity. Every value remembers where it was found, and a better place wins: explicit form
//! fields, then the query of the action URL, the page URL's query, cookies a sender forwards, the referrer, and last the
//! source's own defaults.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Keys that are attribution wherever they are found. Lower case; values are kept as sent.
///
/// The first five are the classic campaign tags; then click ids of ad systems and client ids of analytics cookies.
pub const KEYS: &[&str] = &[
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "utm_id",
    "utm_referrer",
    "gclid",
    "gbraid",
    "wbraid",
    "gcl_id",
    "yclid",
    "ysclid",
    "fbclid",
    "ttclid",
    "msclkid",
    "rb_clickid",
    "vk_click_id",
    "_openstat",
    "roistat",
    "roistat_visit",
    "_ga",
    "_ym_uid",
    "_fbp",
    "_fbc",
    "dynamic_number",
];

/// Where a value was found, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A field of the form.
    Field,
    /// The query of the URL the form was sent to.
    ActionUrl,
    /// The query of the page the form stood on.
    PageUrl,
    /// A cookie the sender forwarded.
    Cookie,
    /// The referrer.
    Referrer,
    /// The source's configuration.
    SourceDefault,
}

impl Origin {
    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Field => "form field",
            Self::ActionUrl => "action URL",
            Self::PageUrl => "page URL",
            Self::Cookie => "cookie",
            Self::Referrer => "referrer",
            Self::SourceDefault => "source default",
        }
    }
}

/// One value of a touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TouchValue {
    /// Lower-case key, one of [`KEYS`] or another `utm_*`.
    pub key: Cow<'static, str>,
    /// As sent, at most 500 bytes.
    pub value: String,
    /// Where it was found.
    pub from: Origin,
}

/// The attribution of one activity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Touch {
    /// Campaign tags, click ids and client ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<TouchValue>,
    /// The page the form stood on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The page the visit began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landing: Option<String>,
    /// Where the visitor came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
    /// The visitor's first visit to the site, by what their browser remembers of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Box<FirstTouch>>,
}

/// What a browser remembers of a visitor's first visit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirstTouch {
    /// When it was, by the visitor's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Campaign tags and click ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<TouchValue>,
    /// The page it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landing: Option<String>,
    /// Where the visitor came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

/// The longest URL kept of a first visit, in bytes.
const FIRST_URL: usize = 2000;

impl FirstTouch {
    /// Reads what a page's script says, written as a query: tags by their names, `landing_page`, `referrer`, `at` (RFC 3339).
    /// `None`: it says nothing.
    pub fn parse(query: &str) -> Option<Self> {
        let mut touch = Touch::default();
        let mut at = None;
        for pair in query.split('&').take(50) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(value);
            let text = || crate::text::present(&value).map(|text| crate::text::cut(&text, FIRST_URL).to_owned());
            match key {
                "landing_page" => touch.landing = text(),
                "referrer" => touch.referrer = text(),
                "at" => at = value.parse().ok(),
                _ => {
                    touch.offer(&percent_decode(key), &value, Origin::Field);
                }
            }
        }
        let Touch { values, landing, referrer, .. } = touch;
        let first = Self { at, values, landing, referrer };
        let nothing = first.values.is_empty() && first.landing.is_none() && first.referrer.is_none();
        (!nothing).then_some(first)
    }
}

impl Touch {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.page.is_none() && self.landing.is_none() && self.referrer.is_none() && self.first.is_none()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|v| v.key == key).map(|v| v.value.as_str())
    }

    /// Adds a value if its key is attribution and no better place has given one. Says whether the key is attribution.
    ///
    /// Placeholders that an ad system did not fill in (`{keyword}`, `{{campaign.name}}`, `%%..%%`, `(not set)`) count as absent.
    pub fn offer(&mut self, key: &str, value: &str, from: Origin) -> bool {
        let Some(key) = attribution_key(key) else { return false };
        let value = crate::text::clean(value);
        let value = crate::text::cut(value.trim(), 500);
        if is_placeholder(value) {
            return true;
        }
        match self.values.iter_mut().find(|known| known.key == key) {
            Some(known) if known.from <= from => {}
            Some(known) => *known = TouchValue { key, value: value.to_owned(), from },
            None => self.values.push(TouchValue { key, value: value.to_owned(), from }),
        }
        true
    }

    /// Offers every pair of a URL's query. Takes a whole URL or a bare query; anything else adds nothing.
    pub fn offer_url(&mut self, url: &str, from: Origin) {
        let Some((_, query)) = url.split_once('?') else { return };
        let query = query.split('#').next().unwrap_or_default();
        for pair in query.split('&').take(200) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if attribution_key(key).is_some() {
                self.offer(key, &percent_decode(value), from);
            }
        }
    }

    /// Fills what is missing from another touch, value by value; a better place wins.
    pub fn fill_from(&mut self, other: &Self) {
        for value in &other.values {
            self.offer(&value.key, &value.value, value.from);
        }
        for (mine, theirs) in
            [(&mut self.page, &other.page), (&mut self.landing, &other.landing), (&mut self.referrer, &other.referrer)]
        {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
        if self.first.is_none() {
            self.first.clone_from(&other.first);
        }
    }
}

/// The canonical attribution key of a field's name, if it is one. Case plays no part.
pub fn attribution_key(name: &str) -> Option<Cow<'static, str>> {
    let name = name.trim();
    if name.len() > 40 || name.len() < 3 {
        return None;
    }
    // Most fields are no attribution; their first letter or their length says so.
    let first = name.as_bytes()[0].to_ascii_lowercase();
    let alike = |key: &&&str| key.as_bytes()[0] == first && key.len() == name.len() && key.eq_ignore_ascii_case(name);
    if let Some(known) = KEYS.iter().find(alike) {
        return Some(Cow::Borrowed(known));
    }
    let (start, rest) = name.split_at_checked(4)?;
    let other =
        start.eq_ignore_ascii_case("utm_") && !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    other.then(|| Cow::Owned(name.to_ascii_lowercase()))
}

/// Whether a value is only the mark of a value that was never filled in.
pub fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || ["(not set)", "undefined", "null", "none", "(none)", "nan", "[object object]"]
            .iter()
            .any(|mark| value.eq_ignore_ascii_case(mark))
        || (value.starts_with('{') && value.ends_with('}'))
        || (value.starts_with("%%") && value.ends_with("%%") && value.len() > 4)
}

/// Percent-decoding of a query's value, with `+` for a space; bytes that are no UTF-8 become U+FFFD.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], pair(at + 1), pair(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                // Two hex digits fit into a byte.
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            (other, ..) => out.push(other),
        }
        at += 1;
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_visit_is_read() {
        let first = FirstTouch::parse(
            "utm_source=ya+ndex&UTM_Medium=cpc&gclid=%7Bgclid%7D&landing_page=https%3A%2F%2Fa.example%2F%3Fx%3D1&referrer=\
             &at=2026-11-01T10%3A00%3A00.000Z&name=Anna&__proto__=1",
        );
        let first = first.unwrap();
        let values: Vec<_> = first.values.iter().map(|value| (value.key.as_ref(), value.value.as_str())).collect();
        assert_eq!(values, [("utm_source", "ya ndex"), ("utm_medium", "cpc")]);
        assert_eq!(first.landing.as_deref(), Some("https://a.example/?x=1"));
        assert_eq!((first.referrer, first.at), (None, "2026-11-01T10:00:00Z".parse().ok()));
        for nothing in ["", "at=2026-11-01T10:00:00Z", "name=Anna", "&&==%"] {
            assert_eq!(FirstTouch::parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_better_place_wins() {
        let mut touch = Touch::default();
        touch.offer_url("https://site/?utm_source=ya&gclid=G1&x=1#utm_medium=no", Origin::PageUrl);
        assert!(touch.offer("UTM_Source", "vk", Origin::Field));
        assert!(touch.offer("utm_source", "cookie", Origin::Cookie));
        assert!(!touch.offer("name", "Anna", Origin::Field));
        assert_eq!(touch.get("utm_source"), Some("vk"));
        assert_eq!(touch.get("gclid"), Some("G1"));
        assert_eq!(touch.get("utm_medium"), None);
    }

    #[test]
    fn placeholders_are_absent() {
        let mut touch = Touch::default();
        for value in ["{keyword}", "{{campaign.name}}", "%%x%%", "(not set)", " ", "undefined"] {
            assert!(touch.offer("utm_term", value, Origin::Field));
        }
        assert!(touch.is_empty());
    }

    #[test]
    fn decodes_queries() {
        assert_eq!(percent_decode("%D0%90+b%2"), "А b%2");
        assert_eq!(percent_decode("%ff"), "\u{fffd}");
    }
}
