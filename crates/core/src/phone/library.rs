//! The only place that calls the phone library.
//!
//! `rlibphonenumber` 2.2 panics on one crafted shape (`tel:` after `;phone-context=`). Only plain digits with at most a
//! leading plus come this far, so that no known input reaches the fault; the calls are guarded all the same, because a
//! sender must never be able to stop an intake.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

use super::{Country, PhoneKind};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How often the phone library has panicked in this process; a metric, and a reason to look at the quarantine.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

fn guarded<T>(call: impl FnOnce() -> Option<T>) -> Option<T> {
    // Nothing of ours is shared with the call, and the library keeps only caches behind locks of its own.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        None
    })
}

/// A number that a numbering plan knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Valid {
    pub(super) e164: String,
    pub(super) calling_code: i32,
    pub(super) kind: PhoneKind,
    pub(super) country: Option<Country>,
}

impl Valid {
    /// The digits after the country code.
    pub(super) fn national(&self) -> &str {
        let code_len = match self.calling_code {
            0..=9 => 1,
            10..=99 => 2,
            _ => 3,
        };
        self.e164.get(1 + code_len..).unwrap_or_default()
    }
}

/// Reads digits with or without a leading plus; none unless the result is valid.
pub(super) fn valid(number: &str, home: Option<Region>) -> Option<Valid> {
    guarded(|| {
        let number = match russian_mobile(number).and_then(|national| national.parse().ok()) {
            Some(national_number) => russian(national_number),
            None => PHONE_NUMBER_UTIL.parse(number, home).ok()?,
        };
        // A known type implies validity: both mean that the plan of the number's region has a matching pattern.
        let kind = match number.get_type() {
            PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => PhoneKind::Mobile,
            PhoneNumberType::FixedLine => PhoneKind::FixedLine,
            PhoneNumberType::TollFree => PhoneKind::TollFree,
            PhoneNumberType::PremiumRate => PhoneKind::Premium,
            PhoneNumberType::SharedCost => PhoneKind::SharedCost,
            PhoneNumberType::VoIP => PhoneKind::Voip,
            PhoneNumberType::PersonalNumber => PhoneKind::Personal,
            PhoneNumberType::Pager => PhoneKind::Pager,
            PhoneNumberType::UAN => PhoneKind::Uan,
            PhoneNumberType::VoiceMail => PhoneKind::Voicemail,
            PhoneNumberType::Unknown => return None,
        };
        Some(Valid {
            e164: e164(&number),
            calling_code: number.country_code,
            kind,
            country: number.get_region_code().and_then(Country::of),
        })
    })
}

/// What the library makes of a Russian mobile.
fn russian(national_number: u64) -> PhoneNumber {
    PhoneNumber { country_code: 7, national_number, ..PhoneNumber::default() }
}

/// The ten national digits of what looks like a Russian mobile, `+79` and nine digits. They are the most frequent numbers,
/// and have one form and one format, so that neither needs patterns; whether the plan has such a number, the library says.
/// Tests hold this against the library.
fn russian_mobile(number: &str) -> Option<&str> {
    let national = number.strip_prefix("+7")?;
    (national.len() == 10 && national.starts_with('9') && national.bytes().all(|b| b.is_ascii_digit())).then_some(national)
}

fn e164(number: &PhoneNumber) -> String {
    number.format_as(PhoneNumberFormat::E164).into_owned()
}

/// The number as written for foreigners; none if it is no number.
pub(super) fn international(e164: &str) -> Option<String> {
    if let Some(national) = russian_mobile(e164) {
        return Some(format!("+7 {} {}-{}-{}", &national[..3], &national[3..6], &national[6..8], &national[8..]));
    }
    written(e164)
}

/// [`international`], always by the library.
fn written(e164: &str) -> Option<String> {
    guarded(|| {
        let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
        Some(number.format_as(PhoneNumberFormat::International).into_owned())
    })
}

/// The country calling code of a region; none if it has no numbering plan.
pub(super) fn calling_code(region: Region) -> Option<i32> {
    guarded(|| PHONE_NUMBER_UTIL.get_country_code_for_region(region)).filter(|code| *code > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(number: &str) {
        if let Some(national) = russian_mobile(number) {
            for home in [None, Some(Region::RU), Some(Region::KZ), Some(Region::DE)] {
                let parsed = PHONE_NUMBER_UTIL.parse(number, home).unwrap();
                assert_eq!(russian(national.parse().unwrap()), parsed, "{number}");
                assert_eq!(e164(&parsed), number);
            }
        }
        assert_eq!(international(number), written(number), "{number}");
    }

    #[test]
    fn russian_mobiles_are_as_the_library_says() {
        for prefix in 0..10_000 {
            alike(&format!("+79{prefix:04}{:05}", prefix * 7919 % 100_000));
        }
        for odd in
            ["+7900000000", "+790000000000", "+79000000000", "+79999999999", "+7916123456x", "+77011234567", "+78001234567"]
        {
            alike(odd);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_russian_mobile(national in "9[0-9]{9}") {
            alike(&format!("+7{national}"));
        }
    }
}
