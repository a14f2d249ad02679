//! People that nobody is: distinct, alike in every run, and spread over the number space as real ones are.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::onward::{Route, Routes};
use leadgate_core::phone::Country;
use leadgate_core::ports::Store;
use leadgate_core::prepare::Prepared;
use leadgate_core::rules::{Rules, SourceRules};
use leadgate_core::submission::{Batch, Codec, ContentHash, Draft, Key, Purpose, Raw, Submission, Typed};
use uuid::Uuid;

const GIVEN: [&str; 16] = [
    "Анна",
    "Борис",
    "Виктор",
    "Галина",
    "Дмитрий",
    "Елена",
    "Жанна",
    "Захар",
    "Ирина",
    "Кирилл",
    "Лариса",
    "Михаил",
    "Наталья",
    "Олег",
    "Полина",
    "Сергей",
];
const FAMILY: [&str; 16] = [
    "Кузнец",
    "Соколов",
    "Лебедев",
    "Морозов",
    "Новиков",
    "Козлов",
    "Волков",
    "Павлов",
    "Семёнов",
    "Голубев",
    "Виноградов",
    "Богданов",
    "Воробьёв",
    "Фёдоров",
    "Михайлов",
    "Беляев",
];

/// Spreads consecutive numbers over 31 bits without a collision below 2^31 (an odd multiplier is a bijection).
fn spread(n: u64) -> u64 {
    (n.wrapping_mul(0x9E37_79B1)) & 0x7fff_ffff
}

/// The `n`-th person's mobile as national digits `9XXXXXXXXX`: distinct for n below 2^31 taken modulo 10^9 of the range.
pub fn phone(n: u64) -> String {
    // 900..=939, 950..=969, 977..=989: ranges that are mobile in Russia's plan; 70 prefixes of 10^7 numbers each.
    const PREFIXES: [u64; 32] = [
        900, 901, 902, 903, 904, 905, 906, 908, 909, 910, 911, 912, 913, 914, 915, 916, 917, 918, 919, 920, 921, 922, 923, 924,
        925, 926, 927, 928, 929, 930, 931, 932,
    ];
    let s = spread(n) % (32 * 10_000_000);
    format!("{}{:07}", PREFIXES[usize::try_from(s / 10_000_000).unwrap_or(0)], s % 10_000_000)
}

/// The `n`-th person's e-mail.
pub fn email(n: u64) -> String {
    format!("p{:x}@{}", spread(n), ["mail.ru", "gmail.com", "yandex.ru", "firma.ru"][usize::try_from(n % 4).unwrap_or(0)])
}

/// The `n`-th person's name.
pub fn name(n: u64) -> String {
    let s = usize::try_from(spread(n)).unwrap_or(0);
    format!("{} {}", GIVEN[s % 16], FAMILY[(s / 16) % 16])
}

/// The urlencoded form of the `n`-th person, with attribution and an id of its rendering.
pub fn form(n: u64, out: &mut String) {
    write_form(n, n, out);
}

/// A form of one of the first `contacts` people, a different one each time.
pub fn known_form(n: u64, contacts: u64, out: &mut String) {
    write_form(n, spread(n) % contacts.max(1), out);
}

fn write_form(n: u64, person: u64, out: &mut String) {
    let phone = phone(person);
    let _infallible = write!(
        out,
        "name={}&phone=%2B7+%28{}%29+{}-{}-{}&email={}&message=%D0%97%D0%B4%D1%80%D0%B0%D0%B2%D1%81%D1%82%D0%B2%D1%83%D0%B9%D1%82%D0%B5\
         &utm_source=yandex&utm_medium=cpc&utm_campaign=c{}&page=https%3A%2F%2Fshop.example%2Fp%2F{}&_id=b{n}",
        urlencode(&name(person)),
        &phone[..3],
        &phone[3..6],
        &phone[6..8],
        &phone[8..],
        email(person).replace('@', "%40"),
        n % 50,
        n % 1000,
    );
}

/// A text as it stands in a urlencoded form.
pub fn urlencode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 3), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The rules people are put in under.
pub fn rules() -> Rules {
    Rules { fallback: Arc::new(SourceRules { country: Country::parse("RU"), ..SourceRules::default() }), ..Rules::default() }
}

/// The `n`-th person's first delivery, as a connector would hand it over.
pub fn delivery(n: u64, at: Timestamp) -> Submission {
    let mut body = String::new();
    form(n, &mut body);
    let draft = Draft {
        name: Some(name(n)),
        phones: vec![Typed::new("phone", phone(n))],
        emails: vec![Typed::new("email", email(n))],
        message: Some("Здравствуйте".to_owned()),
        ..Draft::default()
    };
    Submission {
        id: SubmissionId(Uuid::from_u128(
            (u128::from(at.as_millisecond().unsigned_abs()) << 80) | (0x7 << 76) | (0x2 << 62) | u128::from(n),
        )),
        source: SourceId::parse("site").unwrap_or_else(|_| unreachable!("a constant")),
        keys: Key::new("form_id", &format!("fill{n}")).into_iter().collect(),
        content: ContentHash::of([("n", n.to_string().as_str())]),
        received_at: at,
        occurred_at: None,
        historic: true,
        raw: Raw {
            content_type: "application/x-www-form-urlencoded".to_owned(),
            codec: Codec::Plain,
            body: Bytes::from(body),
            sha256: [0; 32],
            query: String::new(),
            peer: None,
            head: String::new(),
        },
        draft,
        signals: Vec::new(),
        hold: None,
        purpose: Purpose::Lead,
    }
}

/// Puts the first `contacts` people into a new SQLite database.
pub async fn fill(path: &Path, contacts: u64) -> anyhow::Result<()> {
    let store = leadgate_store_sqlite::SqliteStore::open(path, leadgate_store_sqlite::Options::default()).await?;
    put(&store, 0..contacts).await?;
    store.close().await;
    Ok(())
}

/// Puts some people into a database.
pub async fn put(store: &dyn Store, people: Range<u64>) -> anyhow::Result<()> {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let long_ago = |n| delivery(n, begin + jiff::SignedDuration::from_millis(i64::try_from(n).unwrap_or(i64::MAX)));
    record(store, people, rules(), long_ago).await
}

/// Puts some people into a database as if they wrote now; whoever a route names is owed each of their leads.
#[expect(clippy::disallowed_methods, reason = "it is owed by the clock of the gateway that is measured")]
pub async fn put_fresh(store: &dyn Store, people: Range<u64>, routes: Vec<Route>) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let fresh = |n| Submission { historic: false, ..delivery(n, now) };
    record(store, people, Rules { routes: Arc::new(Routes::new(routes)), ..rules() }, fresh).await
}

async fn record(store: &dyn Store, people: Range<u64>, rules: Rules, delivery: impl Fn(u64) -> Submission) -> anyhow::Result<()> {
    let rules = Arc::new(rules);
    let mut n = people.start;
    while n < people.end {
        let to = (n + 2_000).min(people.end);
        let items = (n..to).map(|n| Arc::new(Prepared::new(delivery(n), &rules))).collect();
        store.record(Batch { items, cursors: Vec::new() }, Arc::clone(&rules)).await?;
        n = to;
    }
    Ok(())
}
