//! What the tests of several providers try.

use leadgate_core::call::CallFacts;
use leadgate_core::submission::Submission;
use proptest::prelude::*;

use crate::testing::{Call, Source};

/// What an event tells of its call.
pub(crate) fn told(submission: &Submission) -> CallFacts {
    submission.draft.call.as_deref().cloned().unwrap_or_else(|| panic!("{submission:?}"))
}

/// What comes of the events of a call, the same in whatever order they come.
pub(crate) fn in_all_orders(source: &Source, calls: &[Call]) -> CallFacts {
    let facts: Vec<CallFacts> = calls.iter().flat_map(|call| source.submissions(call)).map(|event| told(&event)).collect();
    assert!(facts.len() <= 7, "there are too many orders");
    let joined = |order: &[usize]| {
        let mut out = CallFacts::default();
        for at in order {
            out.join(&facts[*at]);
        }
        out
    };
    let mut order: Vec<usize> = (0..facts.len()).collect();
    let first = joined(&order);
    each_order(&mut order, 0, &mut |order| assert_eq!(joined(order), first, "{order:?}"));
    first
}

fn each_order(items: &mut Vec<usize>, from: usize, see: &mut impl FnMut(&[usize])) {
    if from + 1 >= items.len() {
        see(items);
        return;
    }
    for at in from..items.len() {
        items.swap(from, at);
        each_order(items, from + 1, see);
        items.swap(from, at);
    }
}

/// Whatever comes, it is answered.
pub(crate) fn survives(source: &Source, call: &Call) {
    drop(source.parse(call));
    let reply = source.thanks(call);
    assert!(reply.status < 500);
    drop(source.known(call, None));
}

/// Calls that mean nothing, or nearly something of a provider whose words these are.
pub(crate) fn nonsense(words: &'static [&'static str]) -> impl Strategy<Value = Call> {
    let word = prop::sample::select(words.to_vec());
    let value = prop_oneof![
        Just(String::new()),
        "[0-9]{1,12}",
        "[+\\-a-zA-Z:/.]{1,8}",
        any::<String>(),
        word.clone().prop_map(str::to_owned)
    ];
    let fields = prop::collection::vec((word, value), 0..8);
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let body = prop_oneof![
        bytes.prop_map(|bytes| (String::new(), bytes)),
        fields.clone().prop_map(|fields| (FORM.to_owned(), form(&fields).into_bytes())),
        fields.prop_map(|fields| {
            let object: serde_json::Map<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            ("application/json".to_owned(), serde_json::to_vec(&object).unwrap())
        }),
    ];
    let method = prop::sample::select(vec!["GET", "POST", "HEAD"]);
    ("[ -~]{0,20}", "[a-z/]{0,20}", body, method).prop_map(|(query, behind, (content_type, body), method)| {
        let query = query.replace('#', "");
        Call { method, ..Call::post(&format!("/{behind}?{query}"), &content_type, body) }
    })
}

const FORM: &str = "application/x-www-form-urlencoded";

fn form(fields: &[(&str, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A short look at what is told.
pub(crate) trait Told {
    /// Whether this is the customer's number, as it was written.
    fn number_is(&self, typed: &str) -> bool;
}

impl Told for CallFacts {
    fn number_is(&self, typed: &str) -> bool {
        self.view().number.is_some_and(|number| number.typed == typed)
    }
}
