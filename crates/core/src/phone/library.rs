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
        let number = PHONE_NUMBER_UTIL.parse(number, home).ok()?;
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

fn e164(number: &PhoneNumber) -> String {
    number.format_as(PhoneNumberFormat::E164).into_owned()
}

/// The number as written for foreigners; none if it is no number.
pub(super) fn international(e164: &str) -> Option<String> {
    guarded(|| {
        let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
        Some(number.format_as(PhoneNumberFormat::International).into_owned())
    })
}

/// The country calling code of a region; none if it has no numbering plan.
pub(super) fn calling_code(region: Region) -> Option<i32> {
    guarded(|| PHONE_NUMBER_UTIL.get_country_code_for_region(region)).filter(|code| *code > 0)
}
