//! JSON made by a template that put texts between quotes as they were typed: line breaks, quotes and backslashes unescaped.
//!
//! Only what has one reading is mended. A text ends at the first quote behind which the next member or the end of the object
//! stands; whatever could be read in another way is given up, for a person to look at.

use crate::json::Json;

/// Levels of objects within each other.
const DEPTH: usize = 8;
/// Bytes of a name in a template.
const NAME: usize = 100;
/// White space that is looked past behind a quote.
const SPACE: usize = 64;

/// Mends an object; `None`: it is too broken, or could mean something else.
pub(crate) fn object(text: &str) -> Option<Json> {
    let mut mender = Mender { text, at: 0, depth: 0 };
    mender.space();
    let object = mender.object()?;
    mender.space();
    (mender.at == text.len()).then_some(object)
}

struct Mender<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Mender<'_> {
    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn next(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        self.at = past_space(self.bytes(), self.at, usize::MAX);
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.next() == Some(byte)).then(|| self.at += 1)
    }

    fn object(&mut self) -> Option<Json> {
        self.take(b'{')?;
        self.depth += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        loop {
            self.space();
            if self.next() == Some(b'}') {
                break;
            }
            let (name, behind) = name(self.text, self.at)?;
            if members.iter().any(|(known, _)| known == name) {
                // Somebody may have typed the second one.
                return None;
            }
            let name = name.to_owned();
            self.at = behind;
            let value = self.value()?;
            members.push((name, value));
            self.space();
            match self.next()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.take(b'}')?;
        self.depth -= 1;
        Some(Json::Object(members))
    }

    fn value(&mut self) -> Option<Json> {
        self.space();
        match self.next()? {
            b'"' => self.quoted(),
            b'{' if self.depth < DEPTH => self.object(),
            b'{' => None,
            // An unquoted place that stayed empty.
            b',' | b'}' => Some(Json::Null),
            b'[' => self.strict(),
            _ => self.strict().or_else(|| self.bare()),
        }
    }

    /// A value that is JSON as it stands.
    fn strict(&mut self) -> Option<Json> {
        let mut values = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<Json>();
        let value = values.next()?.ok()?;
        let end = self.at + values.byte_offset();
        if !matches!(self.bytes().get(past_space(self.bytes(), end, SPACE)), Some(b',' | b'}')) {
            return None;
        }
        self.at = end;
        Some(value)
    }

    /// A text whose template forgot the quotes: up to the next member or the end.
    fn bare(&mut self) -> Option<Json> {
        let rest = &self.text[self.at..];
        let length = rest.find([',', '}', '{', '"', '\n', '[', ']'])?;
        self.ends(self.at + length).then(|| {
            self.at += length;
            Json::Text(rest[..length].trim().to_owned())
        })
    }

    fn quoted(&mut self) -> Option<Json> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            match *self.bytes().get(at)? {
                b'\\' => at += 2,
                b'"' if self.ends(at + 1) => break,
                _ => at += 1,
            }
        }
        // A backslash is followed by one byte here, which may be the first of several: then the quote found lies behind them.
        let value = unescaped(self.text.get(start..at)?);
        self.at = at + 1;
        (!swallowed(&value)).then_some(Json::Text(value))
    }

    /// Whether behind a value, at `at`, the next member follows, or the ends of objects and then a member or nothing.
    fn ends(&self, at: usize) -> bool {
        let bytes = self.bytes();
        let (mut at, mut open) = (past_space(bytes, at, SPACE), self.depth);
        while bytes.get(at) == Some(&b'}') && open > 0 {
            open -= 1;
            at = past_space(bytes, at + 1, SPACE);
        }
        match bytes.get(at) {
            None => open == 0,
            Some(b',') if open > 0 => {
                let after = past_space(bytes, at + 1, SPACE);
                name(self.text, after).is_some() || (bytes.get(after) == Some(&b'}') && self.ends(after))
            }
            _ => false,
        }
    }
}

fn past_space(bytes: &[u8], at: usize, most: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take(most).take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// A member's name at `at` and where its value may begin.
fn name(text: &str, at: usize) -> Option<(&str, usize)> {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let length = bytes[at + 1..].iter().take(NAME + 1).position(|byte| *byte == b'"')?;
    let name = text.get(at + 1..at + 1 + length)?;
    if name.is_empty() || name.contains(|c: char| c.is_control() || matches!(c, '\\' | ':' | ',' | '{' | '}')) {
        return None;
    }
    let colon = past_space(bytes, at + length + 2, SPACE);
    (bytes.get(colon) == Some(&b':')).then_some((name, colon + 1))
}

/// Undoes JSON's escapes; a backslash that begins none is one.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (plain, length) = match escape.as_bytes().get(1) {
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'b' | b'f') => (' ', 2),
            Some(b'"') => ('"', 2),
            Some(b'/') => ('/', 2),
            Some(b'u') => unicode(escape).unwrap_or(('\\', 1)),
            Some(b'\\') => ('\\', 2),
            _ => ('\\', 1),
        };
        out.push(plain);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// `\u0410`, or a pair of them for what lies beyond the basic plane.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(0)?;
    let pair = [first, unit(6).unwrap_or_default()];
    match char::decode_utf16([first]).next()? {
        Ok(plain) => Some((plain, 6)),
        Err(_) => match char::decode_utf16(pair).next()? {
            Ok(plain) => Some((plain, 12)),
            Err(_) => Some((char::REPLACEMENT_CHARACTER, 6)),
        },
    }
}

/// Whether a text holds what looks like the seam between two members: then it may be more than one text.
fn swallowed(value: &str) -> bool {
    value.match_indices('"').any(|(at, _)| {
        let rest = value[at + 1..].trim_start();
        match rest.strip_prefix([':', ',']) {
            Some(rest) => {
                matches!(rest.trim_start().as_bytes().first(), Some(b'"' | b'{' | b'['))
            }
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> Option<String> {
        object(text).map(|json| serde_json::to_string(&json).unwrap())
    }

    #[test]
    fn texts_as_they_were_typed() {
        for (broken, whole) in [
            ("{\"name\":\"Анна\",\"msg\":\"eins\nzwei\r\n\tdrei\"}", r#"{"name":"Анна","msg":"eins\nzwei\r\n\tdrei"}"#),
            (r#"{"name":"Анна "Аня" П.","phone":"+7"}"#, r#"{"name":"Анна \"Аня\" П.","phone":"+7"}"#),
            (
                r#"{"msg":"say "yes", then go","topics":["CRM","Bot"]}"#,
                r#"{"msg":"say \"yes\", then go","topics":["CRM","Bot"]}"#,
            ),
            (r#"{"msg":"he said "ok"}" to me","a":{"b":"x"y"}}"#, r#"{"msg":"he said \"ok\"}\" to me","a":{"b":"x\"y"}}"#),
            (r#"{"path":"C:\Data\x","u":"\u0410\ud83d\ude00"}"#, r#"{"path":"C:\\Data\\x","u":"А😀"}"#),
            (r#"{"age": , "phone": +7 (916) 123-45-67, "n": 5,}"#, r#"{"age":null,"phone":"+7 (916) 123-45-67","n":5}"#),
            (r#"{"zip":0123,"ok":true}"#, r#"{"zip":"0123","ok":true}"#),
            (r#"{"a":"5" screen"}"#, r#"{"a":"5\" screen"}"#),
        ] {
            assert_eq!(mended(broken).as_deref(), Some(whole), "{broken}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_given_up() {
        for broken in [
            // A backslash at the end of a text swallows the seam.
            r#"{"name":"Anna\","phone":"+7 916","x":"1"}"#,
            // Typed by the visitor, or by the owner?
            r#"{"name":"A"B","phone":"1","phone":"2"}"#,
            r#"{"msg":"use "a", "b": fine","x":"1"}"#,
            r#"{"name":"Anna","pho"#,
            r#"{"name":"Anna"#,
            r#"{"name":"Anna"} and more"#,
            r#"["a" "b"]"#,
            "{name:\"Anna\"}",
            "{\"a\":[\"x\"y\"]}",
            "",
            "{",
        ] {
            assert_eq!(mended(broken), None, "{broken}");
        }
        assert_eq!(mended(&"{\"a\":".repeat(100_000)), None);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_json_already_means_the_same(pairs in proptest::collection::vec(("[a-z]{1,5}", "[a\"\\\\:,{}\\[\\] \nя]{0,12}"), 0..5)) {
            let json = Json::Object(pairs.into_iter().map(|(name, value)| (name, Json::Text(value))).collect());
            let text = serde_json::to_string(&json).unwrap();
            if let Some(mended) = object(&text) {
                proptest::prop_assert_eq!(mended, json);
            }
        }

        #[test]
        fn whatever_it_is(text in "[a\"\\\\:,{}\\[\\] \nяu0-9]{0,60}") {
            let _total = object(&text);
            let _total = object(&format!("{{\"a\":\"{text}\"}}"));
        }

        #[test]
        fn a_text_between_two_others_comes_back_or_nothing_does(text in "[a-c\"\\\\:,{} \nя]{0,20}") {
            let broken = format!("{{\"name\":\"Anna\",\"msg\":\"{text}\",\"phone\":\"+7 916\"}}");
            if let Some(Json::Object(members)) = object(&broken) {
                proptest::prop_assert_eq!(&members[0].1, &Json::Text("Anna".to_owned()));
                proptest::prop_assert_eq!(&members.last().unwrap().1, &Json::Text("+7 916".to_owned()));
            }
        }
    }
}
