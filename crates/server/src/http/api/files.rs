//! Files for download, never for display: whatever a sender uploaded must not run in anybody's browser.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use leadgate_core::text;

use super::auth::Read;
use super::describe::Binary;
use super::extract::{Id, Query};
use crate::http::problem::Problem;

/// The longest file name given back.
const NAME_BYTES: usize = 200;

/// A file somebody sent, for download.
///
/// Whoever knows its hash has seen the activity that names it, so tokens limited to sources may ask too.
#[utoipa::path(
    get, path = "/attachments/{sha256}", operation_id = "attachment", tag = "submissions", security(("token" = ["read"])),
    params(
        ("sha256" = String, Path, description = "The SHA-256 of its content, hex", pattern = "^[0-9a-f]{64}$"),
        ("name" = Option<String>, Query, description = "The name to save it under"),
    ),
    responses((status = 200, description = "The file", body = Binary, content_type = "application/octet-stream")),
)]
pub async fn attachment(Read(access): Read, Id(sha256): Id<String>, mut query: Query) -> Result<Response, Problem> {
    let name = query.text("name")?.filter(|name| !name.is_empty());
    query.finish()?;
    match access.gateway().attachments.read(&sha256).await {
        Ok(Some((size, stream))) => Ok(download(Body::from_stream(stream), Some(size), name.as_deref().unwrap_or(&sha256))),
        Ok(None) => Err(Problem::missing("attachment")),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "an attachment cannot be read");
            Err(Problem::Unavailable("the attachment cannot be read at the moment".to_owned()))
        }
    }
}

/// Bytes to be saved under a name, sealed off from the browser.
pub fn download(body: Body, size: Option<u64>, name: &str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let disposition = HeaderValue::try_from(disposition(name)).unwrap_or(HeaderValue::from_static("attachment"));
    headers.insert(CONTENT_DISPOSITION, disposition);
    if let Some(size) = size {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    response
}

/// `attachment` with the name twice: in ASCII for old programs, and as RFC 5987 has it.
fn disposition(name: &str) -> String {
    let cleaned = text::printable(name, true);
    let name = text::cut(cleaned.trim(), NAME_BYTES);
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' }).collect();
    let encoded = name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            out.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        out
    });
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_header() {
        assert_eq!(disposition("план.pdf"), "attachment; filename=\"____.pdf\"; filename*=UTF-8''%D0%BF%D0%BB%D0%B0%D0%BD.pdf");
        let hostile = disposition("a\"\r\nSet-Cookie: x;.html");
        assert!(!hostile.contains('\r') && !hostile.contains('\n') && hostile.matches('"').count() == 2, "{hostile}");
    }
}
