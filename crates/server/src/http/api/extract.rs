//! Reading what callers send: paths, queries and JSON, with words for what is wrong. Unknown keys are refused by name.

use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH};
use http::request::Parts;
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::StoreError;
use leadgate_core::views::{Page, PageAt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::describe::MOST;
use crate::http::problem::Problem;

/// An id in the path. What is no id is nobody's.
pub struct Id<T>(pub T);

impl<S, T> FromRequestParts<S> for Id<T>
where
    S: Send + Sync,
    T: std::str::FromStr,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|error| Problem::Bad(error.to_string()))?;
        let id = Some(&text).filter(|text| is_text(text)).and_then(|text| text.parse().ok());
        id.map(Self).ok_or_else(|| Problem::NotFound(format!("{text:?} is no id")))
    }
}

/// Whether it can be text: no zero character, which no database keeps, and nothing in it was no UTF-8 (which the decoder put U+FFFD
/// in the place of).
fn is_text(value: &str) -> bool {
    !value.contains(['\0', '\u{fffd}'])
}

/// The pairs of a query. What is not taken is refused by [`Query::finish`].
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = match RawQuery::from_request_parts(parts, state).await {
            Ok(RawQuery(query)) => query.unwrap_or_default(),
            Err(never) => match never {},
        };
        let pairs = url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()));
        let pairs: Vec<(String, String)> = pairs.collect();
        match pairs.iter().find(|(name, value)| !is_text(name) || !is_text(value)) {
            None => Ok(Self(pairs)),
            Some((name, _)) => {
                Err(Problem::Bad(format!("`{}` is no UTF-8 text, or holds a zero character", name.escape_debug())))
            }
        }
    }
}

impl Query {
    /// The values of a key.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        let mut taken = Vec::new();
        self.0.retain_mut(|(known, value)| {
            if known == name {
                taken.push(std::mem::take(value));
                return false;
            }
            true
        });
        taken
    }

    /// A key given at most once.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Problem::Bad(format!("`{name}` is given more than once"))),
        }
    }

    /// A key whose value means something: an empty one does not.
    pub fn parsed<T>(&mut self, name: &str, meaning: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        match self.text(name)? {
            None => Ok(None),
            Some(value) => parse(&value).map(Some).ok_or_else(|| Problem::Bad(format!("`{name}`: {value:?} is not {meaning}"))),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        self.parsed(name, "true or false", |value| match value {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        })
    }

    /// Sources, given one by one or with commas; none given: all. An empty list is refused: it would show all.
    pub fn sources(&mut self) -> Result<Option<Vec<SourceId>>, Problem> {
        let given = self.all("source");
        let ids: Vec<&str> = given.iter().flat_map(|list| list.split(',')).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let parsed = ids.into_iter().map(|id| SourceId::parse(id).map_err(|error| Problem::Bad(format!("`source`: {error}"))));
        parsed.collect::<Result<_, _>>().map(Some)
    }

    /// A moment.
    pub fn since(&mut self) -> Result<Option<Timestamp>, Problem> {
        self.parsed("since", "a time such as 2026-11-21T10:00:00Z", |value| value.parse().ok())
    }

    /// `limit` and `after`.
    pub fn page(&mut self) -> Result<PageAt, Problem> {
        let limit = self
            .parsed("limit", "a number from 1 to 500", |value| value.parse().ok().filter(|limit| (1..=MOST).contains(limit)))?;
        let after = self.text("after")?.filter(|after| !after.is_empty());
        Ok(PageAt { after, limit: limit.unwrap_or_else(|| PageAt::default().limit) })
    }

    /// Refuses what is left, by name.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::Bad(format!("`{name}` means nothing here"))),
        }
    }
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::MediaType);
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| Problem::Bad(error.to_string()))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Problem::Invalid(error.to_string()),
            _ => Problem::Bad(format!("the body is no JSON: {error}")),
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// The version a change depends on, if any.
pub struct IfMatch(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(given) = parts.headers.get(IF_MATCH) else { return Ok(Self(None)) };
        let text = given.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
        version
            .map(|version| Self(Some(version)))
            .ok_or_else(|| Problem::Bad("If-Match takes the ETag of the lead, one and in quotes".to_owned()))
    }
}

/// An answer.
pub fn ok(body: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::Internal
    })?;
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A page of a list. A list writes nothing: all its store can reject is where the page should begin.
pub fn paged<T: Serialize>(page: Result<Page<T>, StoreError>) -> Result<Response, Problem> {
    match page {
        Ok(page) => ok(&page),
        Err(StoreError::Rejected(_)) => Err(Problem::Bad("`after` is not the `next` of a page of this list".to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// An answer with its version.
pub fn versioned(version: i64, body: &impl Serialize) -> Result<Response, Problem> {
    let mut response = ok(body)?;
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}
