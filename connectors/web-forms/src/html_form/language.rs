//! The language of the pages visitors see.

use leadgate_core::ports::Request;

use super::config::Config;

/// A language we have texts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Ru,
    En,
}

impl Language {
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        if primary.eq_ignore_ascii_case("ru") {
            Some(Self::Ru)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Self::En)
        } else {
            None
        }
    }

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Ru => "ru",
            Self::En => "en",
        }
    }
}

/// What the config says, else the page, else the browser, else the company.
pub(super) fn pick(config: &Config, request: &Request<'_>, page: Option<&str>) -> Language {
    config
        .language
        .or_else(|| page.and_then(Language::parse))
        .or_else(|| accepted(request.header("accept-language").unwrap_or_default()))
        .unwrap_or(config.company_language)
}

/// The best of an `Accept-Language` header that we have.
fn accepted(header: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for (tag, quality) in weighed(header) {
        if let Some(language) = Language::parse(tag)
            && quality > best.map_or(0.0, |(known, _)| known)
        {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

/// The items of an `Accept`-like header with their quality.
pub(super) fn weighed(header: &str) -> impl Iterator<Item = (&str, f32)> {
    header.split(',').take(50).filter_map(|item| {
        let mut parts = item.split(';');
        let name = parts.next()?.trim();
        let quality = parts.find_map(|part| part.trim().strip_prefix("q=")?.trim().parse::<f32>().ok());
        (!name.is_empty()).then(|| (name, quality.filter(|q| q.is_finite()).map_or(1.0, |q| q.clamp(0.0, 1.0))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_languages() {
        assert_eq!(accepted("de-DE,ru;q=0.7,en;q=0.8"), Some(Language::En));
        assert_eq!(accepted("ru-RU, en;q=0.9"), Some(Language::Ru));
        assert_eq!(accepted("fr, en;q=0"), None);
        assert_eq!(accepted(";;q=x,,"), None);
    }
}
