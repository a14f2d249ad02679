//! The document, and a page to browse it: Swagger UI from the binary. The page asks nobody but this gateway.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION};
use utoipa_swagger_ui::Config;

use super::describe::DOCUMENT;
use crate::app::Gateway;
use crate::http::peer::Caller;
use crate::http::problem::Problem;

/// Only what this gateway serves. Swagger UI carries its pictures as `data:` and writes styles into its elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What the page is told: our document alone, no field for another address, and no validator of somebody else's.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("/api/openapi.json").use_base_layout().validator_url("none").query_config_enabled(false);
    Arc::new(config.deep_linking(true).doc_expansion("list").default_models_expand_depth(0))
});

/// `/api`: the page, and the document it shows.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/api", get(folder))
        .route("/api/", get(async |caller| file(caller, Path("index.html".to_owned())).await))
        .route("/api/openapi.json", get(document))
        .route("/api/{file}", get(file))
}

/// The page's links are relative to the folder.
async fn folder(Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    caller.may_show_a_token()?;
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/api/"));
    Ok(response)
}

async fn document(Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    caller.may_show_a_token()?;
    match &*DOCUMENT {
        Ok(document) => Ok(answer("application/json", Body::from(Bytes::from_static(document)))),
        Err(error) => {
            tracing::error!(%error, "the description of the API cannot be written");
            Err(Problem::Internal)
        }
    }
}

async fn file(Extension(caller): Extension<Caller>, Path(name): Path<String>) -> Result<Response, Problem> {
    caller.may_show_a_token()?;
    let found = utoipa_swagger_ui::serve(&name, Arc::clone(&CONFIG)).map_err(|error| {
        tracing::error!(error = %error, "a page of the API's description cannot be written");
        Problem::Internal
    })?;
    let Some(file) = found else { return Err(Problem::NotFound("the API has nothing at this path".to_owned())) };
    let mut response = answer(&file.content_type, Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    if file.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

fn answer(content_type: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    response
}
