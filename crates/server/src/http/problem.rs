//! What the API says when it cannot do as asked: `application/problem+json`, and the status decided in one place.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use leadgate_core::change::ChangeError;
use leadgate_core::ports::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

/// Why the API did not do as asked.
#[derive(Debug)]
pub enum Problem {
    /// No such path, or no such thing for this token.
    NotFound(String),
    /// The path knows other methods.
    Method,
    /// The request makes no sense: bad JSON, a bad query.
    Bad(String),
    /// It makes sense, but a value is none.
    Invalid(String),
    /// The body is too large.
    TooLarge(usize),
    /// The body is no JSON.
    MediaType,
    /// The body did not come in time.
    Slow,
    /// No token, or none we know.
    Unauthorized,
    /// The token may not.
    Forbidden(String),
    /// Not from there.
    Elsewhere,
    /// Things stand otherwise.
    Conflict(&'static str, String),
    /// The lead was changed meanwhile.
    Precondition(String),
    /// Not now.
    Unavailable(String),
    /// A defect; the details are in the log.
    Internal,
}

/// A problem as the caller reads it (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Told {
    /// Which problem: `urn:leadgate:problem:` and a code that programs may compare.
    #[schema(pattern = "^urn:leadgate:problem:[a-z-]+$")]
    r#type: String,
    /// The status in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong and what to do.
    pub detail: String,
    /// The request's id, as in the log and in `X-Request-Id`.
    request_id: String,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Elsewhere => StatusCode::FORBIDDEN,
            Self::Conflict(..) => StatusCode::CONFLICT,
            Self::Precondition(_) => StatusCode::PRECONDITION_FAILED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not-found",
            Self::Method => "method-not-allowed",
            Self::Bad(_) => "bad-request",
            Self::Invalid(_) => "invalid-value",
            Self::TooLarge(_) => "too-large",
            Self::MediaType => "unsupported-media-type",
            Self::Slow => "too-slow",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::Elsewhere => "not-from-there",
            Self::Conflict(code, _) => code,
            Self::Precondition(_) => "changed-meanwhile",
            Self::Unavailable(_) => "unavailable",
            Self::Internal => "internal",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotFound(words)
            | Self::Bad(words)
            | Self::Invalid(words)
            | Self::Forbidden(words)
            | Self::Conflict(_, words)
            | Self::Precondition(words)
            | Self::Unavailable(words) => words.clone(),
            Self::Method => "this path knows other methods: see the Allow header".to_owned(),
            Self::TooLarge(limit) => format!("the body is larger than {limit} bytes"),
            Self::MediaType => "send the body as JSON, with Content-Type: application/json".to_owned(),
            Self::Slow => "the body did not come in time".to_owned(),
            Self::Unauthorized => {
                "send a token as `Authorization: Bearer ...`; `leadgate token new` makes one, and the gateway's own lies in data/api-token"
                    .to_owned()
            }
            Self::Elsewhere => "the API and the metrics answer on this machine itself, or behind a proxy named in trusted_proxies ([server] in \
                                config/local.toml); the API also over TLS ([server.tls]): they must not cross a network unencrypted"
                .to_owned(),
            Self::Internal => "the gateway failed; its log says more under this request_id".to_owned(),
        }
    }

    /// Something of a kind that is not there, or not for this token.
    pub fn missing(what: &str) -> Self {
        Self::NotFound(format!("there is no such {what}"))
    }

    /// What the caller is told.
    pub fn told(&self, request_id: &str) -> Told {
        let status = self.status();
        Told {
            r#type: format!("urn:leadgate:problem:{}", self.code()),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: self.detail(),
            request_id: request_id.to_owned(),
        }
    }

    /// The answer, with the id of the request.
    pub fn respond(&self, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.told(request_id)).unwrap_or_else(|error| {
            tracing::error!(%error, "a problem could not be written");
            Vec::new()
        });
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Unavailable(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Without the request's id: the responder, which knows it, writes the answer anew.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => {
                Self::Conflict("conflict", "somebody else changed it at the same moment: try again".to_owned())
            }
            StoreError::Unavailable(source) => {
                tracing::warn!(error = &*source as &dyn std::error::Error, "the database cannot be reached");
                Self::Unavailable("the database cannot be reached at the moment".to_owned())
            }
            StoreError::Full => Self::Unavailable("there is no space left on the disk of the database".to_owned()),
            StoreError::Rejected(_) | StoreError::Corrupt { .. } | StoreError::LeaseLost(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Self::Internal
            }
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let words = error.to_string();
        match error {
            ChangeError::Missing(_) => Self::NotFound(words),
            ChangeError::Closed(_) => Self::Conflict("lead-closed", words),
            ChangeError::Open(_) => Self::Conflict("lead-open", words),
            ChangeError::Final(_) => Self::Conflict("final-stage", words),
            ChangeError::Taken(_) => Self::Conflict("lead-taken", words),
            ChangeError::OtherOpen(_) => Self::Conflict("other-lead-open", words),
            ChangeError::NotPossible(_) => Self::Conflict("not-possible", words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_five_fields() {
        let response = Problem::missing("lead").respond("req-1");
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }
}
