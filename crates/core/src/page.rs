//! Pages by key: a page begins after the last row of the one before, so that rows which come meanwhile shift nothing.

use crate::ports::StoreError;
use crate::views::{Page, PageAt};

/// The longest page.
const MOST: u32 = 500;

/// How many rows a page asks for: one more than it shows, to know whether there is a next.
pub fn fetch(at: &PageAt) -> i64 {
    i64::from(at.limit.clamp(1, MOST)) + 1
}

/// The keys after which a page begins: `N` numbers, as `next` gave them. Anything else begins nowhere.
pub fn after<const N: usize>(at: &PageAt) -> Result<Option<[i64; N]>, StoreError> {
    let Some(text) = &at.after else { return Ok(None) };
    let parts: Option<Vec<i64>> = text.split('_').map(|part| i64::from_str_radix(part, 36).ok()).collect();
    let keys = parts.and_then(|parts| <[i64; N]>::try_from(parts).ok());
    keys.map(Some).ok_or_else(|| StoreError::Rejected("this is no `next` of a page".into()))
}

/// Cuts the extra row off and says where the next page begins.
pub fn page<const N: usize, T>(mut rows: Vec<([i64; N], T)>, at: &PageAt) -> Page<T> {
    let most = usize::try_from(fetch(at) - 1).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|(keys, _)| keys.iter().copied().map(base36).collect::<Vec<_>>().join("_"));
    Page { items: rows.into_iter().map(|(_, item)| item).collect(), next }
}

fn base36(number: i64) -> String {
    let mut left = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        // A digit is below 36.
        digits.push(char::from_digit(u32::try_from(left % 36).unwrap_or_default(), 36).unwrap_or('0'));
        left /= 36;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_there_and_back() {
        for keys in [[0_i64, 1], [i64::MAX, -5], [1_760_000_000_000_000, 12]] {
            let page = page(vec![(keys, ()), (keys, ())], &PageAt { after: None, limit: 1 });
            assert_eq!(page.items.len(), 1);
            assert_eq!(after::<2>(&PageAt { after: page.next, limit: 1 }).unwrap(), Some(keys));
        }
        for bad in ["", "a", "a_b_c", "!_1", "1_99999999999999999999"] {
            assert!(after::<2>(&PageAt { after: Some(bad.into()), limit: 1 }).is_err(), "{bad}");
        }
    }
}
