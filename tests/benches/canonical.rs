//! How fast contact data is brought to its canonical form, on one core and over a realistic mix.
//!
//! Run with `cargo bench -p leadgate-tests --bench canonical`. Each figure is measured for about a second beside a
//! yardstick of the same run (trim, lower case and hash of the same bytes), so that a slow machine shows as such.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    hint::black_box,
    io::{self, Write},
    time::{Duration, Instant},
};

use leadgate_core::{
    email, name,
    phone::{self, Country, Hints},
};

/// How long each figure is measured.
const MEASURE: Duration = Duration::from_secs(1);
/// What one form may cost: so many whole forms a second on one core.
const TARGET_FORMS_PER_S: f64 = 100_000.0;

/// As forms bring them: most are clean, some have words, blanks, several numbers, another script, or are wrong.
const PHONES: [&str; 24] = [
    "+7 (916) 248-13-57",
    "+79162481357",
    "8 916 248 13 57",
    "89261112345",
    "79031234598",
    "+7 (495) 777-12-30",
    "+7 (903) 555-18-42",
    "8-985-410-22-33",
    "+7 926 303 40 50",
    "9175558899",
    "+7(812)3334455",
    "+380 67 123 45 67",
    "+49 151 23456789",
    "+1 212 555 2368",
    "+375 29 634-12-88",
    "+77012223344",
    "8 (800) 555-35-35",
    "+7 916 248-13-57 доб. 12",
    "8 916 248 13 57, после 18:00 Иван",
    "8 916 248 13 57 / 8 495 777 12 30",
    "+7\u{a0}916\u{a0}248\u{a0}13\u{a0}57",
    "https://wa.me/79162481357",
    "+7 (___) ___-__-__",
    "12345",
];

const EMAILS: [&str; 16] = [
    "ivan.petrov@gmail.com",
    "Anna.Sokolova+shop@GoogleMail.com",
    "maria_1987@mail.ru",
    "d.smirnov@yandex.ru",
    "info@romashka.ru",
    "sales@big-company.com",
    "oleg@stroydom.msk.ru",
    "katya-k@bk.ru",
    "j.doe@outlook.com",
    "petr@icloud.com",
    "\"Иван Петров\" <ivan@petrov.ru>",
    "zakaz@пример.рф",
    "olga@ukr.net",
    "test@test.com",
    "hans.mueller@gmx.de",
    "не помню",
];

const NAMES: [&str; 16] = [
    "Иван",
    "Анна Петрова",
    "Мария",
    "Соколов Дмитрий Сергеевич",
    "Ekaterina Ivanova",
    "Александр Кузнецов",
    "ИП Григорьев А.В.",
    "John Smith",
    "Олександр Шевченко",
    "Мария 🌸",
    "Anna | nails",
    "Тест",
    "Hans-Peter Müller",
    "Щербакова Ольга",
    "сергей",
    "Айгуль Нурланова",
];

fn main() -> io::Result<()> {
    let hints = Hints { configured: Country::parse("RU"), ..Hints::default() };
    let mut out = io::stdout().lock();
    warm_up(hints);

    let phones = rate(|at| {
        black_box(phone::read(black_box(PHONES[at % PHONES.len()]), &hints));
    });
    let phone_yardstick = rate(|at| yardstick(PHONES[at % PHONES.len()]));
    let clean = rate(|_| {
        black_box(phone::read(black_box("+79162481357"), &hints));
    });
    let emails = rate(|at| {
        black_box(email::read(black_box(EMAILS[at % EMAILS.len()])));
    });
    let email_yardstick = rate(|at| yardstick(EMAILS[at % EMAILS.len()]));
    let names = rate(|at| {
        black_box(name::read(black_box(NAMES[at % NAMES.len()])).key());
    });
    let name_yardstick = rate(|at| yardstick(NAMES[at % NAMES.len()]));
    let forms = rate(|at| {
        black_box(phone::read(black_box(PHONES[at % PHONES.len()]), &hints));
        black_box(email::read(black_box(EMAILS[at % EMAILS.len()])));
        black_box(name::read(black_box(NAMES[at % NAMES.len()])).key());
    });

    writeln!(out, "canonical forms, one core, each beside trim + lower case + hash of the same text:")?;
    say(&mut out, "phones", phones, phone_yardstick)?;
    say(&mut out, "e-mails", emails, email_yardstick)?;
    say(&mut out, "names", names, name_yardstick)?;
    writeln!(out, "  one clean number: {:.2} microseconds", 1e6 / clean)?;
    let verdict = if forms >= TARGET_FORMS_PER_S { "meets" } else { "MISSES" };
    writeln!(
        out,
        "  whole forms (phone, e-mail, name): {forms:.0} a second, which {verdict} the target of {TARGET_FORMS_PER_S:.0}"
    )?;
    writeln!(out, "figure canonical.phones_per_s {phones:.0}")?;
    writeln!(out, "figure canonical.emails_per_s {emails:.0}")?;
    writeln!(out, "figure canonical.names_per_s {names:.0}")?;
    writeln!(out, "figure canonical.forms_per_s {forms:.0}")
}

/// Reads everything once: the tables are built, and regular expressions compiled, at first use.
fn warm_up(hints: Hints) {
    for _ in 0..50 {
        for phone in PHONES {
            drop(black_box(phone::read(phone, &hints)));
        }
        for email in EMAILS {
            drop(black_box(email::read(email)));
        }
        for name in NAMES {
            drop(black_box(name::read(name).key()));
        }
    }
}

/// Calls a second, measured for [`MEASURE`].
fn rate(mut call: impl FnMut(usize)) -> f64 {
    // A look at the clock costs as much as a short call.
    const BATCH: usize = 960;
    let begin = Instant::now();
    let mut calls = 0_u32;
    while begin.elapsed() < MEASURE {
        (0..BATCH).for_each(&mut call);
        calls += 1;
    }
    f64::from(calls) * 960.0 / begin.elapsed().as_secs_f64()
}

fn yardstick(text: &str) {
    let mut hasher = DefaultHasher::new();
    black_box(text).trim().to_lowercase().hash(&mut hasher);
    black_box(hasher.finish());
}

fn say(out: &mut impl Write, what: &str, rate: f64, yardstick: f64) -> io::Result<()> {
    writeln!(
        out,
        "  {what}: {rate:.0} a second, {:.1} times the work of the yardstick ({yardstick:.0} a second)",
        yardstick / rate
    )
}
