//! The keys that every kind of source here has.

use std::collections::HashMap;

use leadgate_wire::fields::Kind;
pub(crate) use leadgate_wire::keys::Keys;
pub(crate) use leadgate_wire::rules::rules;

/// `fields = { tel2 = "phone" }`: what the owner says of his fields, by their names in lower case.
pub(crate) fn fields(keys: &mut Keys) -> HashMap<String, Kind> {
    let mut fields = HashMap::new();
    for (name, value) in keys.table("fields").unwrap_or_default() {
        if let Some(kind) = value.as_str().and_then(Kind::parse) {
            fields.insert(name.trim().to_lowercase(), kind);
        } else {
            let known: Vec<&str> = Kind::names().collect();
            keys.problem(&format!("fields.{name}"), format!("a field can be one of: {}", known.join(", ")));
        }
    }
    fields
}

/// `title`: a line that names every enquiry of the source.
pub(crate) fn title(keys: &mut Keys) -> Option<String> {
    keys.text("title").as_deref().and_then(leadgate_core::text::present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_fields_by_their_names() {
        let mut keys = Keys::new("fields = { Tel2 = \"phone\", a = \"b\" }".parse().unwrap());
        assert_eq!(fields(&mut keys), HashMap::from([("tel2".to_owned(), Kind::parse("phone").unwrap())]));
        let problems: Vec<String> = keys.finish().into_iter().map(|problem| problem.key).collect();
        assert_eq!(problems, ["fields.a"]);
    }
}
