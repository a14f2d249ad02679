//! Our readings beside those of the `phonenumber` crate, another port of the same numbering plans.
//!
//! Both read the same clean national and international forms. Every difference is in a table with its reason, and the
//! table has to be exact: a new difference is a fault of ours or news of theirs, and either is to be looked at.

use leadgate_core::phone::{self, Country, Hints};

/// Country, its calling code, its trunk prefix, and national numbers of it: mobile, fixed and service numbers.
type Plan = (&'static str, &'static str, &'static str, &'static [&'static str]);

const PLANS: &[Plan] = &[
    (
        "RU",
        "7",
        "8",
        &[
            "9161234567",
            "9031234598",
            "9261112345",
            "9857778899",
            "9996543210",
            "9005553535",
            "4951234567",
            "4997654321",
            "8121234567",
            "8432123456",
            "8632345678",
            "8005553535",
            "8001002030",
            "3432345678",
            "3832123456",
            "8462345678",
            "8617654321",
            "4232123456",
            "3012123456",
            "8712123456",
        ],
    ),
    ("KZ", "7", "8", &["7011234567", "7051112233", "7771234567", "7172123456", "7272345678", "8000808080"]),
    ("BY", "375", "80", &["291234567", "336341288", "447654321", "172123456"]),
    ("UA", "380", "0", &["671234567", "501112233", "931234567", "442345678", "800500500"]),
    ("US", "1", "1", &["2125552368", "4155550132", "8005551234", "6502530000", "3059876543"]),
    ("CA", "1", "1", &["4165551234", "6045559876", "5145551212"]),
    ("DE", "49", "0", &["15123456789", "1711234567", "30123456", "8912345678", "4012345678", "8001234567"]),
    ("GB", "44", "0", &["7400123456", "2079460958", "1212345678", "8001111234", "7911123456"]),
    ("FR", "33", "0", &["612345678", "752345678", "123456789", "800123456"]),
    ("IT", "39", "", &["3123456789", "0612345678", "0212345678", "800123456"]),
    ("ES", "34", "", &["612345678", "912345678", "900123456"]),
    ("PL", "48", "", &["512345678", "221234567", "800123456"]),
    ("TR", "90", "0", &["5321234567", "2123456789"]),
    ("UZ", "998", "", &["901234567", "712345678"]),
    ("GE", "995", "0", &["551234567", "322123456"]),
    ("AM", "374", "0", &["77123456", "10123456"]),
    ("IL", "972", "0", &["502345678", "22345678"]),
    ("CN", "86", "0", &["13123456789", "1012345678"]),
    ("IN", "91", "0", &["8123456789", "7410410123"]),
    ("BR", "55", "0", &["11961234567", "1123456789"]),
    ("MX", "52", "", &["2221234567", "5512345678"]),
    ("AE", "971", "0", &["501234567", "22345678"]),
    ("FI", "358", "0", &["412345678", "131234567"]),
    ("AU", "61", "0", &["412345678", "212345678"]),
    ("JP", "81", "0", &["9012345678", "312345678"]),
    ("KR", "82", "0", &["1012345678", "212345678"]),
    ("BJ", "229", "", &["0195123456"]),
    ("CZ", "420", "", &["601123456", "212345678"]),
];

/// Country, what was typed, our form, theirs (`-`: rejected).
type Difference = (String, String, String, String);

/// The known differences. All are faults of `phonenumber` 0.3; see github.com/whisperfish/rust-phonenumber/issues/68 and
/// /76. Each group has its reason.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    // The national prefix 8 is taken off although the number is international already, or a second time: area codes and
    // service codes that begin with 8 lose it (`+78005553535` becomes `+7005553535`).
    ("RU", "88121234567", "+78121234567", "+7121234567 invalid"),
    ("RU", "8 812 1234567", "+78121234567", "+7121234567 invalid"),
    ("RU", "8121234567", "+78121234567", "+7121234567 invalid"),
    ("RU", "+78121234567", "+78121234567", "+7121234567 invalid"),
    ("RU", "+7 (812) 1234567", "+78121234567", "+7121234567 invalid"),
    ("RU", "88432123456", "+78432123456", "+7432123456 invalid"),
    ("RU", "8 843 2123456", "+78432123456", "+7432123456 invalid"),
    ("RU", "8432123456", "+78432123456", "+7432123456 invalid"),
    ("RU", "+78432123456", "+78432123456", "+7432123456 invalid"),
    ("RU", "+7 (843) 2123456", "+78432123456", "+7432123456 invalid"),
    ("RU", "88632345678", "+78632345678", "+7632345678 invalid"),
    ("RU", "8 863 2345678", "+78632345678", "+7632345678 invalid"),
    ("RU", "8632345678", "+78632345678", "+7632345678 invalid"),
    ("RU", "+78632345678", "+78632345678", "+7632345678 invalid"),
    ("RU", "+7 (863) 2345678", "+78632345678", "+7632345678 invalid"),
    ("RU", "88005553535", "+78005553535", "+7005553535 invalid"),
    ("RU", "8 800 5553535", "+78005553535", "+7005553535 invalid"),
    ("RU", "8005553535", "+78005553535", "+7005553535 invalid"),
    ("RU", "+78005553535", "+78005553535", "+7005553535 invalid"),
    ("RU", "+7 (800) 5553535", "+78005553535", "+7005553535 invalid"),
    ("RU", "88001002030", "+78001002030", "+7001002030 invalid"),
    ("RU", "8 800 1002030", "+78001002030", "+7001002030 invalid"),
    ("RU", "8001002030", "+78001002030", "+7001002030 invalid"),
    ("RU", "+78001002030", "+78001002030", "+7001002030 invalid"),
    ("RU", "+7 (800) 1002030", "+78001002030", "+7001002030 invalid"),
    ("RU", "88462345678", "+78462345678", "+7462345678 invalid"),
    ("RU", "8 846 2345678", "+78462345678", "+7462345678 invalid"),
    ("RU", "8462345678", "+78462345678", "+7462345678 invalid"),
    ("RU", "+78462345678", "+78462345678", "+7462345678 invalid"),
    ("RU", "+7 (846) 2345678", "+78462345678", "+7462345678 invalid"),
    ("RU", "88617654321", "+78617654321", "+7617654321 invalid"),
    ("RU", "8 861 7654321", "+78617654321", "+7617654321 invalid"),
    ("RU", "8617654321", "+78617654321", "+7617654321 invalid"),
    ("RU", "+78617654321", "+78617654321", "+7617654321 invalid"),
    ("RU", "+7 (861) 7654321", "+78617654321", "+7617654321 invalid"),
    ("RU", "88712123456", "+78712123456", "+7712123456 invalid"),
    ("RU", "8 871 2123456", "+78712123456", "+7712123456 invalid"),
    ("RU", "8712123456", "+78712123456", "+7712123456 invalid"),
    ("RU", "+78712123456", "+78712123456", "+7712123456 invalid"),
    ("RU", "+7 (871) 2123456", "+78712123456", "+7712123456 invalid"),
    ("KZ", "88000808080", "+78000808080", "+7000808080 invalid"),
    ("KZ", "8 800 0808080", "+78000808080", "+7000808080 invalid"),
    ("KZ", "8000808080", "+78000808080", "+7000808080 invalid"),
    ("KZ", "+78000808080", "+78000808080", "+7000808080 invalid"),
    ("KZ", "+7 (800) 0808080", "+78000808080", "+7000808080 invalid"),
    // Ten digits that begin with the country's own code 7 lose it, although they are a whole national number.
    ("KZ", "7011234567", "+77011234567", "+7011234567 invalid"),
    ("KZ", "7051112233", "+77051112233", "+7051112233 invalid"),
    ("KZ", "7771234567", "+77771234567", "+7771234567 invalid"),
    ("KZ", "7172123456", "+77172123456", "+7172123456 invalid"),
    ("KZ", "7272345678", "+77272345678", "+7272345678 invalid"),
];

fn ours(typed: &str, country: &str) -> String {
    let hints = Hints { configured: Country::parse(country), ..Hints::default() };
    match &phone::read(typed, &hints).phones[..] {
        [phone] => phone.e164.clone(),
        _ => "-".to_owned(),
    }
}

fn theirs(typed: &str, country: &str) -> String {
    match phonenumber::parse(country.parse().ok(), typed) {
        Ok(number) => {
            let e164 = number.format().mode(phonenumber::Mode::E164).to_string();
            if number.is_valid() { e164 } else { format!("{e164} invalid") }
        }
        Err(_) => "-".to_owned(),
    }
}

#[test]
fn differences_are_known() {
    let mut cases = 0;
    let mut found: Vec<Difference> = Vec::new();
    for (country, code, trunk, nationals) in PLANS {
        for national in *nationals {
            let (head, tail) = national.split_at(3);
            for typed in [
                format!("{trunk}{national}"),
                format!("{trunk} {head} {tail}"),
                (*national).to_owned(),
                format!("+{code}{national}"),
                format!("+{code} ({head}) {tail}"),
            ] {
                cases += 1;
                let (ours, theirs) = (ours(&typed, country), theirs(&typed, country));
                if ours != theirs {
                    found.push(((*country).to_owned(), typed, ours, theirs));
                }
            }
        }
    }
    assert!(cases >= 300, "{cases}");
    let known =
        KNOWN.iter().map(|(country, typed, ours, theirs)| ((*country).into(), (*typed).into(), (*ours).into(), (*theirs).into()));
    let known: Vec<Difference> = known.collect();
    let list = |differences: Vec<&Difference>| {
        differences.iter().map(|(c, t, o, h)| format!("    (\"{c}\", \"{t}\", \"{o}\", \"{h}\"),")).collect::<Vec<_>>().join("\n")
    };
    let news = list(found.iter().filter(|difference| !known.contains(difference)).collect());
    let gone = list(known.iter().filter(|difference| !found.contains(difference)).collect());
    assert!(
        news.is_empty() && gone.is_empty(),
        "of {cases} cases, not in the table:\n{news}\nin the table and no longer true:\n{gone}"
    );
}

/// Our own form of every number is the one it was made from: nothing here is judged by the library alone.
#[test]
fn every_number_is_read_as_itself() {
    let mut wrong = Vec::new();
    for (country, code, trunk, nationals) in PLANS {
        for national in *nationals {
            let expected = format!("+{code}{national}");
            for typed in
                [expected.clone(), format!("{trunk}{national}"), format!("00{code}{national}"), format!("+{code} {national}")]
            {
                let read = ours(&typed, country);
                if read != expected {
                    wrong.push(format!("{typed} in {country} is read as {read}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
