//! Whatever is sent, nothing panics; whatever is changed of what is signed, is refused.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..300), query in "[ -~]{0,60}", json in any::<bool>()) {
        for name in ["uis", "binotel", "telphin", "callrail", "3cx"] {
            let source = preset(name, "");
            let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            let _outcome = source.parse(&Call::post(&format!("/x?{query}"), kind, body.clone()));
        }
    }

    #[test]
    fn no_value_panics(id in "\\PC{0,40}", number in "\\PC{0,40}", time in "\\PC{0,30}", length in "\\PC{0,20}") {
        let source = source(&KIND, "call_id_of = [\"number\", \"at\"]\nrecording_url = \"https://r.example.com/{recording_id}\"");
        let body = serde_json::json!({
            "event": "finished", "call_id": id, "number": number, "caller": number, "callee": number, "line": number, "at": time,
            "started_at": time, "talk": length, "outcome": length, "recording": number, "recording_id": id, "direction": "in",
        });
        if let Ok(Parsed::Submissions(items)) = source.parse(&Call::json("", &body.to_string())) {
            for item in items {
                if let Some(call) = item.draft.call {
                    call.bounded().view();
                }
            }
        }
    }

    #[test]
    fn what_is_signed_holds_and_any_change_of_it_does_not(body in "\\PC{1,200}", key in "[ -~]{1,40}", at in any::<prop::sample::Index>(), bit in 0u8..8) {
        prop_assume!(!key.trim().is_empty());
        let source = preset("callrail", &format!("secret = {}", toml::Value::from(key.as_str())));
        let good = Call::json("", &body).header("Signature", &sha1_base64(&key, body.as_bytes()));
        prop_assert_eq!(source.refused(&good), None);
        let mut changed = good.clone();
        let at = at.index(changed.body.len());
        changed.body[at] ^= 1 << bit;
        // Bytes that cannot be read are refused for that.
        prop_assert!(source.parse(&changed).is_err());
    }
}
