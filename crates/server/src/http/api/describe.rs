//! What the API looks like to a program: an `OpenAPI` 3.1 document, made of the routes and of the types they take and answer with.
//!
//! A handler says what is its own (path, parameters, body, success). What all have in common is added here: the problems they may
//! answer with, the scope in words, and the examples of `examples.json`.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Required};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::app::Gateway;
use crate::http::operation;
use crate::http::problem::{Problem, Told};

/// The longest page.
pub const MOST: u32 = 500;
/// The length of a page when none is asked for.
const USUAL: u32 = 50;

const INTRODUCTION: &str = include_str!("introduction.md");
/// By the name of the type, as it stands under `components.schemas`.
const EXAMPLES: &str = include_str!("examples.json");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The whole document, as it is served.
pub static DOCUMENT: LazyLock<Result<Vec<u8>, String>> =
    LazyLock::new(|| document().and_then(|document| serde_json::to_vec(&document)).map_err(|error| error.to_string()));

/// The whole document.
pub fn document() -> serde_json::Result<Value> {
    let routes = OpenApiRouter::<Arc<Gateway>>::new().merge(operation::router()).nest("/api/v1", super::router());
    let mut document = serde_json::to_value(routes.into_openapi())?;
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES)?;
    document["info"] = json!({
        "title": "Leadgate",
        "version": env!("CARGO_PKG_VERSION"),
        "description": INTRODUCTION,
        "license": { "name": "MIT OR Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/", "description": "The gateway that serves this document" }]);
    document["tags"] = json!([
        { "name": "leads", "description": "Enquiries that are worked on" },
        { "name": "contacts", "description": "The people they are from" },
        { "name": "submissions", "description": "What arrived, as it arrived, and what became of it" },
        { "name": "sources", "description": "Where leads come from" },
        { "name": "outbox", "description": "What others are told: deliveries to webhooks and by mail" },
        { "name": "messengers", "description": "Links to bots for campaigns, and managers' accounts" },
        { "name": "tokens", "description": "Who may call the API" },
        { "name": "operation", "description": "How the gateway is doing" },
    ]);
    let components = &mut document["components"];
    components["schemas"]["Problem"] = serde_json::to_value(Told::schema())?;
    components["securitySchemes"]["token"] = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "`leadgate token new` makes a token. Its scopes are `read`, `write` (which includes `read`) and `admin` (which includes both); \
                        it may be limited to sources.",
    });
    components["responses"] = problems();
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                complete(operation, &examples);
            }
        }
    }
    Ok(document)
}

/// Every problem an operation may answer with, by its name under `components.responses`.
fn problems() -> Value {
    let all = [
        ("BadRequest", Problem::Bad("`limit`: \"many\" is not a number from 1 to 500".to_owned())),
        ("Unauthorized", Problem::Unauthorized),
        ("Forbidden", Problem::Forbidden("this takes the scope `write`, which the token does not have".to_owned())),
        ("NotFound", Problem::missing("lead")),
        ("Slow", Problem::Slow),
        ("Conflict", Problem::Conflict("lead-closed", "the lead is closed as JUNK: reopen it first".to_owned())),
        ("Precondition", Problem::Precondition("the lead was changed meanwhile: it is at version 4".to_owned())),
        ("TooLarge", Problem::TooLarge(crate::http::respond::API_BODY)),
        ("MediaType", Problem::MediaType),
        ("Invalid", Problem::Invalid("there is no stage \"OLD\"".to_owned())),
        ("Internal", Problem::Internal),
        ("Unavailable", Problem::Unavailable("the database cannot be reached at the moment".to_owned())),
    ];
    let described = all.map(|(name, problem)| {
        let told = problem.told("0192f0c4-7d2e-7b11-8a5e-3f6f2d9a1c40");
        let mut response = json!({
            "description": told.detail,
            "content": {
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" }, "example": told },
            },
        });
        if let Problem::Unavailable(_) = problem {
            response["headers"]["Retry-After"] = json!({ "schema": { "type": "integer" }, "description": "Seconds" });
        }
        (name.to_owned(), response)
    });
    Value::Object(described.into_iter().collect())
}

/// Adds what an operation need not say itself.
fn complete(operation: &mut Value, examples: &Map<String, Value>) {
    let scope = operation.pointer("/security/0/token/0").and_then(Value::as_str).map(str::to_owned);
    let parameters: Vec<(String, String)> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| (text(&parameter["in"]), text(&parameter["name"])))
        .collect();
    if operation["parameters"].is_null()
        && let Some(operation) = operation.as_object_mut()
    {
        operation.remove("parameters");
    }
    let takes_body = operation.get("requestBody").is_some();
    if let Some(scope) = scope {
        let said = operation.get("description").map(text).unwrap_or_default();
        operation["description"] = format!("{said}\n\nScope: `{scope}`.").trim().into();
        let changes = scope != "read" && operation.pointer("/responses/200/content/application~1octet-stream").is_none();
        let in_path = parameters.iter().any(|(place, _)| place == "path");
        let versioned = parameters.iter().any(|(_, name)| name == "If-Match");
        let may = [
            ("400", "BadRequest", true),
            ("401", "Unauthorized", true),
            ("403", "Forbidden", true),
            ("404", "NotFound", in_path),
            ("408", "Slow", true),
            ("409", "Conflict", changes),
            ("412", "Precondition", versioned),
            ("413", "TooLarge", true),
            ("415", "MediaType", takes_body),
            ("422", "Invalid", takes_body),
            ("500", "Internal", true),
            ("503", "Unavailable", true),
        ];
        for (status, name, _) in may.into_iter().filter(|(.., may)| *may) {
            operation["responses"][status] = json!({ "$ref": format!("#/components/responses/{name}") });
        }
    }
    if let Some(content) = operation.pointer_mut("/requestBody/content/application~1json") {
        exemplify(content, examples);
    }
    for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if let Some(content) = response.pointer_mut("/content/application~1json") {
            exemplify(content, examples);
        }
    }
}

/// The example of a body's type; of a list's, one of its items.
fn exemplify(content: &mut Value, examples: &Map<String, Value>) {
    let named = |schema: &Value| schema["$ref"].as_str().and_then(|to| examples.get(to.rsplit('/').next()?).cloned());
    let example = named(&content["schema"]).or_else(|| named(&content["schema"]["items"]).map(|one| json!([one])));
    if let Some(example) = example {
        content["example"] = example;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn parameter(name: &str, place: ParameterIn, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(name, ParameterIn::Query, description, schema)
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// `limit` and `after`.
pub enum Paging {}

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let length =
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MOST)).default(Some(USUAL.into()));
        vec![
            query("limit", "The length of the page", length),
            query("after", "`next` of the page before; left out: the first page", string()),
        ]
    }
}

/// `source`.
pub enum Origins {}

impl IntoParams for Origins {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let ids = string().pattern(Some("^[a-z0-9][a-z0-9_-]{0,39}(,[a-z0-9][a-z0-9_-]{0,39})*$"));
        let ids = ArrayBuilder::new().items(ids).examples([json!(["site"])]);
        vec![query("source", "Only from these sources; several, also with commas", ids)]
    }
}

/// `since`.
pub enum Since {}

impl IntoParams for Since {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let moment = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        vec![query("since", "Only what came at this moment or later", moment)]
    }
}

/// `q` and `identity`.
pub enum Whom {}

impl IntoParams for Whom {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("q", "A phone, an e-mail or a handle as a person types it", string()),
            query("identity", "A canonical phone, e-mail or handle; goes before `q`", string()),
        ]
    }
}

/// `If-Match`.
pub enum Version {}

impl IntoParams for Version {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let tag = string().pattern(Some(r#"^("[0-9]{1,18}"|\*)$"#));
        vec![parameter("If-Match", ParameterIn::Header, "The `ETag` of the lead the change depends on", tag)]
    }
}

/// Bytes.
pub enum Binary {}

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
    }
}

impl ToSchema for Binary {
    fn name() -> std::borrow::Cow<'static, str> {
        "Binary".into()
    }
}

#[cfg(test)]
mod tests;
