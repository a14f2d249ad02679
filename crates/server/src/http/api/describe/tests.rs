use std::collections::BTreeSet;

use leadgate_core::onward::{AlarmView, JobDetail, JobView};
use leadgate_core::views::{
    ContactDetail, ContactSummary, LeadDetail, LeadSummary, MoveView, NodeView, Page, ReviewView, SubmissionDetail,
    SubmissionSummary, TokenView,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::outbox::{AlarmChoice, Asked, Changed, OutboxTarget};
use crate::sources::SourceView;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| METHODS.iter().filter_map(move |method| Some((*method, path.as_str(), item.get(*method)?))))
        .collect()
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let made = serde_json::to_string_pretty(&document().unwrap()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, &made).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        made == committed,
        "docs/openapi.json is not what the code says: look whether the change is meant, then run \
         `UPDATE=1 cargo test -p leadgate the_committed_document` and commit it"
    );
}

/// A router tells its paths only to a debugger: whoever adds one by `route` instead of `routes!` is found here.
#[test]
fn every_route_is_in_the_document() {
    let document = document().unwrap();
    let routes = operation::router().nest("/api/v1", crate::http::api::router()).split_for_parts().0;
    let debug = format!("{routes:?}");
    let known: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let told: BTreeSet<&str> = debug.split('"').filter(|text| text.starts_with('/') && !text.contains("{*")).collect();
    assert!(told.len() > 20, "a router is told otherwise than it was: {debug}");
    // A fallback is a path too.
    let undescribed: Vec<_> = told.difference(&known).filter(|path| !matches!(**path, "/" | "/api/v1" | "/api/v1/")).collect();
    assert!(undescribed.is_empty(), "add these with `routes!`, so that the document has them: {undescribed:?}");
}

#[test]
fn every_operation_says_what_it_does_who_may_and_what_may_come_back() {
    let document = document().unwrap();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(!text(&operation["summary"]).is_empty(), "{place}: a line of documentation is its summary");
        assert!(names.insert(text(&operation["operationId"])), "{place}: its operation_id is not its own");
        let known = document["tags"].as_array().unwrap().iter().any(|tag| tag["name"] == operation["tags"][0]);
        assert!(known, "{place}: its tag is in the list");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(!text(&parameter["description"]).is_empty(), "{place}: {parameter} has no description");
        }
        if path.starts_with("/api/") {
            let scope = text(&operation["security"][0]["token"][0]);
            assert!(leadgate_core::views::Scope::parse(&scope).is_some(), "{place}: the scope is one of ours");
            for status in ["400", "401", "403", "500", "503"] {
                assert!(operation["responses"].get(status).is_some(), "{place} {status}");
            }
        }
    }
}

#[test]
fn every_body_has_an_example() {
    let document = document().unwrap();
    for (method, path, operation) in operations(&document) {
        let answers = operation["responses"].as_object().unwrap().values();
        for body in answers.chain([&operation["requestBody"]]) {
            if let Some(content) = body.pointer("/content/application~1json") {
                assert!(
                    content.get("example").is_some(),
                    "{method} {path}: add an example of {} to examples.json",
                    content["schema"]
                );
            }
        }
    }
}

#[test]
fn examples_are_what_the_types_write() {
    fn is<T: Serialize + DeserializeOwned>(examples: &Map<String, Value>, name: &str) {
        let read: T = serde_json::from_value(examples[name].clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(serde_json::to_value(read).unwrap(), examples[name], "{name}");
    }
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).unwrap();
    is::<LeadDetail>(&examples, "LeadDetail");
    is::<ContactDetail>(&examples, "ContactDetail");
    is::<SubmissionDetail>(&examples, "SubmissionDetail");
    is::<MoveView>(&examples, "MoveView");
    is::<NodeView>(&examples, "NodeView");
    is::<SourceView>(&examples, "SourceView");
    is::<TokenView>(&examples, "TokenView");
    is::<Page<LeadSummary>>(&examples, "Page_LeadSummary");
    is::<Page<ContactSummary>>(&examples, "Page_ContactSummary");
    is::<Page<ReviewView>>(&examples, "Page_ReviewView");
    is::<Page<SubmissionSummary>>(&examples, "Page_SubmissionSummary");
    is::<Page<JobView>>(&examples, "Page_JobView");
    is::<JobDetail>(&examples, "JobDetail");
    is::<Asked>(&examples, "OutboxChoice");
    is::<AlarmChoice>(&examples, "AlarmChoice");
    is::<Changed>(&examples, "OutboxChanged");
    is::<OutboxTarget>(&examples, "OutboxTarget");
    is::<AlarmView>(&examples, "AlarmView");
}
