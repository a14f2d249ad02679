//! Numbers that nobody has, and numbers that people type to try a form out.

use super::library::Valid;

/// All subscriber digits are the same: `+7 916 000-00-00`, `+1 999 999 9999`. The subscriber digits are the last seven,
/// or the whole national number where that is shorter.
pub(super) fn is_unusable(number: &Valid) -> bool {
    let subscriber = subscriber(number.national());
    subscriber.windows(2).all(|pair| pair[0] == pair[1])
}

/// A run, at most two distinct digits at the end, or a number that a regulator set aside for films and books.
pub(super) fn looks_test(number: &Valid) -> bool {
    let national = number.national();
    let subscriber = subscriber(national);
    is_run(subscriber) || distinct(subscriber) <= 2 || is_fictional(number.calling_code, national)
}

fn subscriber(national: &str) -> &[u8] {
    let bytes = national.as_bytes();
    &bytes[bytes.len().saturating_sub(7)..]
}

/// Each digit one more, or each one less, than the one before; 9 and 0 are neighbours as on a keypad's way round.
fn is_run(digits: &[u8]) -> bool {
    let steps = |by: u8| digits.windows(2).all(|pair| (pair[0] - b'0' + by) % 10 == pair[1] - b'0');
    steps(1) || steps(9)
}

fn distinct(digits: &[u8]) -> u32 {
    digits.iter().fold(0_u16, |seen, digit| seen | 1 << (digit - b'0')).count_ones()
}

/// Ranges kept free of subscribers: NANP 555-0100 to 0199; Ofcom "numbers for use in TV and radio drama"; ACMA's, ARCEP's
/// and the Bundesnetzagentur's lists of the same kind.
fn is_fictional(calling_code: i32, national: &str) -> bool {
    let prefixes: &[&str] = match calling_code {
        1 => return national.get(3..8) == Some("55501"),
        33 => &["19900", "26191", "35301", "46571", "53649", "63998"],
        44 => &[
            "1134960", "1144960", "1154960", "1164960", "1174960", "1184960", "1214960", "1314960", "1414960", "1514960",
            "1614960", "1632960", "1914980", "2079460", "2896496", "2920180", "3069990", "808157", "9098790",
        ],
        49 => &["15228817386", "15228895456", "17139200", "17604069", "2214710", "3023125", "4066969", "6990009", "8999998"],
        61 => &[
            "255501",
            "270101",
            "355501",
            "370101",
            "755501",
            "770101",
            "855501",
            "870101",
            "491570006",
            "491570110",
            "49157015",
            "4915713",
            "180016040",
            "1800975711",
        ],
        _ => return false,
    };
    prefixes.iter().any(|prefix| national.starts_with(prefix))
}
