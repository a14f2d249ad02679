//! From digits to numbers: which country, which reading, how sure.

use super::{
    Country, Hints, Phone, PhoneKind,
    library::{self, Valid},
    pattern, plan,
    scan::Candidate,
};

/// What the digits of one candidate mean.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) phones: Vec<Phone>,
    pub(super) alternatives: Vec<Phone>,
}

impl Resolved {
    fn one(number: Valid, confidence: u8) -> Self {
        Self { phones: vec![phone(number, confidence)], alternatives: Vec::new() }
    }
}

fn phone(number: Valid, confidence: u8) -> Phone {
    let unusable = pattern::is_unusable(&number);
    Phone {
        looks_test: unusable || pattern::looks_test(&number),
        unusable,
        extension: None,
        kind: number.kind,
        confidence,
        country: number.country,
        e164: number.e164,
    }
}

/// Reads the digits of a candidate in every way that makes sense; no phones if no plan knows them.
pub(super) fn resolve(candidate: &Candidate, hints: Hints) -> Resolved {
    let digits = candidate.digits.as_str();
    let mut resolved = if candidate.digits.len() > digits.len() {
        Resolved::default()
    } else if let Some(at) = candidate.optional_zero {
        plan::with_optional_zero(digits, at).map_or_else(Resolved::default, |number| Resolved::one(number, 3))
    } else if candidate.plus {
        with_plus(digits, hints)
    } else {
        without_plus(digits, candidate.bare, hints)
    };
    for phone in resolved.phones.iter_mut().chain(&mut resolved.alternatives) {
        phone.extension.clone_from(&candidate.extension);
        if hints.free_text {
            // Random digits hit valid ranges now and then.
            phone.confidence = phone.confidence.min(2);
        }
    }
    resolved
}

fn with_plus(digits: &str, hints: Hints) -> Resolved {
    let home = hints.home();
    let number = plan::international(digits);
    // `+8 916 …`: the trunk prefix with a plus in front. `+84`, `+86` and `+88…` are countries too, and nobody can tell.
    if let Some(trunk) = plan::trunk_eight(digits) {
        let at_home = home.is_some_and(Country::is_zone_seven);
        match number {
            Some(number) if at_home => {
                return Resolved { phones: vec![phone(number, 1)], alternatives: vec![phone(trunk, 1)] };
            }
            Some(number) => return Resolved::one(number, 3),
            None if at_home || trunk.kind == PhoneKind::Mobile => return Resolved::one(trunk, 1),
            None => {}
        }
    }
    match number {
        Some(number) => Resolved::one(number, 3),
        // A plus in front of a national form: a guess.
        None => home
            .and_then(|home| library::valid(digits, home.region()))
            .map_or_else(Resolved::default, |number| Resolved::one(number, 1)),
    }
}

fn without_plus(digits: &str, bare: bool, hints: Hints) -> Resolved {
    if hints.provider_format
        && let Some(number) = plan::international(digits)
    {
        return Resolved::one(number, 2);
    }
    if let Some(rest) = digits.strip_prefix("00")
        && let Some(number) = plan::international(rest)
    {
        return Resolved::one(number, 3);
    }
    let Some(home) = hints.home() else { return without_country(digits, bare) };
    let code = home.region().and_then(library::calling_code).unwrap_or_default();
    match library::valid(digits, home.region()) {
        Some(national) if national.calling_code != code => {
            // Dialled with the international prefix of the home country, such as 810 or 011.
            Resolved::one(national, 3)
        }
        Some(national) => {
            let confidence = if hints.explicit.is_some() { 3 } else { 2 };
            match own_code_mobile(digits, code, &national) {
                Some(mobile) => Resolved::one(mobile, confidence),
                None => Resolved::one(national, confidence),
            }
        }
        None => without_country(digits, bare),
    }
}

/// The own country code typed without a plus, where the plan is so permissive that the national reading is valid too
/// (German `4915123456789`): a mobile is the likelier of the two.
fn own_code_mobile(digits: &str, code: i32, national: &Valid) -> Option<Valid> {
    if national.kind == PhoneKind::Mobile || !digits.starts_with(&code.to_string()) {
        return None;
    }
    plan::international(digits).filter(|number| number.kind == PhoneKind::Mobile)
}

/// Digits whose country is not known, or which are no number at home: they may begin with a country code.
fn without_country(digits: &str, bare: bool) -> Resolved {
    if let Some(number) = plan::international(digits) {
        if digits.len() >= 11 {
            return Resolved::one(number, 2);
        }
        // Ten digits and less are as often a national form of some other country: without another sign, a guess; and
        // when they are grouped as national forms are, not even that.
        let is_north_american = || plan::international(&format!("1{digits}")).is_some();
        return match (bare, number.kind == PhoneKind::Mobile && !is_north_american()) {
            (true, true) => Resolved::one(number, 2),
            (true, false) => Resolved::one(number, 1),
            (false, _) => Resolved { phones: Vec::new(), alternatives: vec![phone(number, 1)] },
        };
    }
    plan::trunk_eight(digits)
        .filter(|number| number.kind == PhoneKind::Mobile)
        .map_or_else(Resolved::default, |number| Resolved::one(number, 1))
}
