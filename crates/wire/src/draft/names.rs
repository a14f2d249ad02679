//! A person's name out of the fields a form asks it in.

use std::collections::BTreeSet;

use crate::fields::{Kind, looks_like_email, looks_like_phone};

/// What a form said of a name, with the place of each field.
#[derive(Default)]
pub(super) struct NameParts {
    whole: Vec<(usize, String)>,
    given: Option<(usize, String)>,
    family: Option<(usize, String)>,
    patronymic: Option<(usize, String)>,
    guess: Option<(usize, String)>,
}

impl NameParts {
    /// Takes a value; `false`: it is no part of the name, or there is one already.
    pub(super) fn offer(&mut self, kind: Kind, at: usize, value: &str) -> bool {
        let slot = match kind {
            Kind::Name => {
                if looks_like_email(value) || looks_like_phone(value) {
                    return false;
                }
                self.whole.push((at, value.to_owned()));
                return true;
            }
            Kind::GivenName => &mut self.given,
            Kind::FamilyName => &mut self.family,
            Kind::Patronymic => &mut self.patronymic,
            Kind::NameGuess => &mut self.guess,
            _ => return false,
        };
        if slot.is_some() {
            return false;
        }
        *slot = Some((at, value.to_owned()));
        true
    }

    /// The name, and the places of the fields it was made of.
    pub(super) fn join(self) -> (Option<String>, BTreeSet<usize>) {
        let mut used = BTreeSet::new();
        let mut whole = self.whole.into_iter().next();
        let (mut given, mut family) = (self.given, self.family);
        match (&whole, &given, &family) {
            // "Имя" beside "Фамилия" is the given name, "Name" beside "Vorname" the family name.
            (Some((_, name)), None, Some((_, other))) if !contains(name, other) => given = whole.take(),
            (Some((_, name)), Some((_, other)), None) if !contains(name, other) => family = whole.take(),
            _ => {}
        }
        if let Some((at, name)) = whole {
            used.insert(at);
            let repeated: Vec<_> = [&given, &family, &self.patronymic].into_iter().flatten().collect();
            used.extend(repeated.into_iter().filter(|(_, part)| contains(&name, part)).map(|(at, _)| *at));
            return (Some(name), used);
        }
        let parts: Vec<(usize, String)> = [given, self.patronymic, family].into_iter().flatten().collect();
        if parts.is_empty() {
            return match self.guess {
                Some((at, name)) => (Some(name), BTreeSet::from([at])),
                None => (None, used),
            };
        }
        used.extend(parts.iter().map(|(at, _)| *at));
        let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
        (Some(texts.join(" ")), used)
    }
}

fn contains(name: &str, part: &str) -> bool {
    let (name, part) = (name.to_lowercase(), part.to_lowercase());
    part.split_whitespace().all(|word| name.split_whitespace().any(|known| known == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[(Kind, &str)]) -> (Option<String>, Vec<usize>) {
        let mut names = NameParts::default();
        for (at, (kind, value)) in parts.iter().enumerate() {
            names.offer(*kind, at, value);
        }
        let (name, used) = names.join();
        (name, used.into_iter().collect())
    }

    #[test]
    fn joins_what_forms_split() {
        use Kind::{FamilyName, GivenName, Name, NameGuess, Patronymic};
        for (parts, name, used) in [
            (vec![(Name, "Анна")], "Анна", vec![0]),
            (vec![(GivenName, "Stan"), (FamilyName, "Tester")], "Stan Tester", vec![0, 1]),
            (vec![(FamilyName, "Тестов"), (Name, "Тест"), (Patronymic, "Тестович")], "Тест Тестович Тестов", vec![0, 1, 2]),
            (vec![(Name, "Muster"), (GivenName, "Max")], "Max Muster", vec![0, 1]),
            (vec![(Name, "Max Muster"), (GivenName, "Max")], "Max Muster", vec![0, 1]),
            (vec![(Name, "Max"), (NameGuess, "Moritz")], "Max", vec![0]),
            (vec![(NameGuess, "Moritz")], "Moritz", vec![0]),
            (vec![(Name, "a@b.example"), (GivenName, "Max")], "Max", vec![1]),
        ] {
            assert_eq!(joined(&parts), (Some(name.to_owned()), used), "{parts:?}");
        }
        assert_eq!(joined(&[(Name, "+7 916 000-00-00")]), (None, vec![]));
    }
}
