//! Tables of names as people write them, and the recall and false positive rate of the fold over them.

use super::*;

fn key(typed: &str) -> NameKey {
    read(typed).key()
}

fn agrees(a: &str, b: &str) -> Option<bool> {
    let (there, back) = (compare(&key(a), &key(b)), compare(&key(b), &key(a)));
    let verdict = |agreement| match agreement {
        Agreement::Missing => None,
        Agreement::Agree { .. } => Some(true),
        Agreement::Contradict { .. } => Some(false),
    };
    assert_eq!(verdict(there), verdict(back), "{a:?} and {b:?} depend on their order");
    verdict(there)
}

#[test]
fn one_person() {
    for (a, b) in [
        ("Анна", "Анна Петрова"),
        ("Petrov", "Ivan Petrov"),
        ("Anna Petrova", "Петрова Анна Сергеевна"),
        ("Саша", "Александр"),
        ("Саша Иванов", "Иванов Александр Петрович"),
        ("Шура", "Саша"),
        ("Анна Петрова", "Анна Сидорова"),
        ("Аня Петрова", "Анна Сидорова"),
        ("И. Петров", "Иван Петров"),
        ("Петров И.И.", "Иван Иванович Петров"),
        ("ИП Петров Иван", "г-н Петров"),
        ("Dmitriy Sokolov", "Соколов Дмитрий"),
        ("Дима Соколов", "Dmitry Sokolov"),
        ("Bob Smith", "Robert Smith"),
        ("Mike", "Michael Jones"),
        ("Михаил", "Michael"),
        ("Олександр Шевченко", "Aleksandr Shevchenko"),
        ("Сергій", "Sergey"),
        ("Наталия Орлова", "Наталья Орлова"),
        ("Мария Иванова", "ivanova maria"),
        ("Анна-Мария Шульц", "Анна Шульц"),
        ("Sean O'Brien", "Sean OBrien"),
        ("Роман Абрамович", "Abramovich"),
        ("Екатирина", "Екатерина"),
        ("Екатерина Иванова", "Екатирина Иванва"),
        ("Мария 🌸", "Мария"),
        ("Anna | nails", "Анна Петрова"),
        ("Вагиф Алиев", "Алиев Вагиф Рашид оглы"),
        ("Müller Hans", "Hans Mueller"),
        ("Иванов Иван Иванович", "Иванов Иван Сергеевич"),
        ("Айгуль Каримова", "Айгуль Сатпаева"),
        ("李伟", "李伟"),
    ] {
        assert_eq!(agrees(a, b), Some(true), "{a:?} and {b:?}: {:?}, {:?}, {:?}", key(a), key(b), compare(&key(a), &key(b)));
    }
    assert!(matches!(compare(&key("Саша"), &key("Александр")), Agreement::Agree { nickname: true, .. }));
    assert_eq!(compare(&key("Анна Петрова"), &key("Анна Петрова")), Agreement::Agree { score: 1.0, nickname: false });
}

#[test]
fn two_people() {
    for (a, b) in [
        ("Анна Петрова", "Иван Петров"),
        ("Анна", "Иван"),
        ("Мария", "Марина"),
        ("Анна", "Алла"),
        ("Валентин Орлов", "Валентина Орлова"),
        ("Александр Орлов", "Александра Орлова"),
        ("John Smith Jr", "John Smith Sr"),
        ("Иван Петров мл.", "Иван Петров ст."),
        ("Zoe Smith", "Bob Smith"),
        ("Айгуль Каримова", "Дамир Каримов"),
        ("Gulbahor Xasanova", "Sherzod Xasanov"),
        ("А. Петрова", "Иван Петров"),
        ("Анна Петрова", "Мария Сидорова"),
        ("Анна Сергеевна Петрова", "Ольга Сергеевна Иванова"),
        ("Саша Петров", "Маша Петрова"),
    ] {
        assert_eq!(agrees(a, b), Some(false), "{a:?} and {b:?}: {:?}, {:?}, {:?}", key(a), key(b), compare(&key(a), &key(b)));
    }
}

#[test]
fn junk_is_kept_and_names_nobody() {
    for typed in [
        "",
        "-",
        "нет",
        "no name",
        "test",
        "Тест",
        "ТЕСТ ТЕСТ",
        "12345",
        "+7 916 123-45-67",
        "ivan@mail.ru",
        "https://example.org/x",
        "www.spam.org",
        "🌸🌸",
        "!!!",
        "ааа",
        "фывфыв",
        "asdf",
        "ООО Ромашка",
        "Romashka LLC",
        "null",
        "undefined",
        "Ваше имя",
        "Мр.",
        "И.",
        "г-н",
        "клиент",
        "Здравствуйте, хочу узнать сколько стоит у вас доставка в Казань завтра",
    ] {
        let name = read(typed);
        assert!(!name.is_real(), "{typed:?} gives {:?}", name.tokens);
        assert_eq!(name.typed, typed, "the text is kept");
        assert_eq!(compare(&name.key(), &key("Анна")), Agreement::Missing, "{typed:?}");
    }
    assert_eq!(read("  Анна\u{200b}  \n Петрова\u{0} ").typed, "Анна Петрова");
}

#[test]
fn words_are_tagged() {
    use Tag::{Initial, Patronymic, Suffix, Title, Word};

    let tags = |typed: &str| read(typed).tokens.iter().map(|token| (token.text.clone(), token.tag)).collect::<Vec<_>>();
    let is = |typed: &str, expected: &[(&str, Tag)]| {
        let expected: Vec<_> = expected.iter().map(|(text, tag)| ((*text).to_owned(), *tag)).collect();
        assert_eq!(tags(typed), expected, "{typed:?}");
    };
    is("Петрова Анна Сергеевна", &[("Петрова", Word), ("Анна", Word), ("Сергеевна", Patronymic)]);
    is("Dr. John Smith Jr.", &[("Dr.", Title), ("John", Word), ("Smith", Word), ("Jr", Suffix)]);
    is("Петров И.И.", &[("Петров", Word), ("И", Initial), ("И", Initial)]);
    is("Ludwig van Beethoven", &[("Ludwig", Word), ("van", Title), ("Beethoven", Word)]);
    is("Анна (мама Пети)", &[("Анна", Word)]);
    is("Абрамович", &[("Абрамович", Word)]);
    is("Мария2", &[("Мария", Word)]);
}

#[test]
fn keys_are_stored_and_read_back() {
    for typed in ["Петрова Анна Сергеевна", "Dr. John Smith Jr.", "Петров И.И.", "Жанна Щербакова", "李伟", ""]
    {
        let key = key(typed);
        assert_eq!(NameKey::parse(key.as_str()), key, "{typed:?}");
    }
    assert_eq!(key("Петрова Анна Сергеевна").as_str(), "petrov ana ~sergevna");
    assert_eq!(NameKey::parse("  ~  ^ Анна .. ").as_str(), "ana");
}

/// Groups of spellings of one name, none of which was used to make the rules: passports of several years, newspapers in
/// English, German, French and Polish, and typing as it comes.
const GROUPS: [&[&str]; 44] = [
    &["Щербакова", "Shcherbakova", "Scherbakova", "Sherbakova", "Щербаков"],
    &["Журавлёв", "Zhuravlev", "Zhuravlyov", "Журавлева", "Schurawljow"],
    &["Чайковский", "Tchaikovsky", "Chaykovskiy", "Chaikovskii", "Tschaikowski", "Чайковская"],
    &["Хрущёв", "Khrushchev", "Khrushchov", "Хрущева"],
    &["Цветаева", "Tsvetaeva", "Tsvetayeva", "Zvetaeva", "Цветаев"],
    &["Юрьев", "Yuriev", "Yuryev", "Iurev", "Юрьева"],
    &["Воробьёва", "Vorobyova", "Vorobeva", "Vorobieva", "Воробьев"],
    &["Григорьев", "Grigoriev", "Grigoryev", "Grigorev", "Григорьева"],
    &["Достоевский", "Dostoevsky", "Dostoyevsky", "Dostojewski", "Dostoevskii"],
    &["Рахманинов", "Rachmaninov", "Rakhmaninov", "Rachmaninoff"],
    &["Прокофьев", "Prokofiev", "Prokofieff", "Prokofyev"],
    &["Александр", "Aleksandr", "Alexandr", "Alexander", "Aleksander"],
    &["Екатерина", "Ekaterina", "Yekaterina", "Jekaterina"],
    &["Ксения", "Kseniya", "Ksenia", "Xenia", "Kseniia"],
    &["Алексей", "Aleksey", "Alexey", "Alexei", "Aleksei"],
    &["Евгений", "Evgeny", "Yevgeniy", "Evgenii", "Jewgeni"],
    &["Анатолий", "Anatoly", "Anatoliy", "Anatolii", "Anatolij"],
    &["Юлия", "Yulia", "Yuliya", "Julia", "Iuliia"],
    &["Татьяна", "Tatiana", "Tatyana", "Tatjana", "Tatʹi͡ana"],
    &["Вячеслав", "Vyacheslav", "Viacheslav", "Vjačeslav", "Wjatscheslaw"],
    &["Наталья", "Natalia", "Natalya", "Nataliya", "Natalja"],
    &["Артём", "Artem", "Artyom", "Artjom"],
    &["Михаил", "Mikhail", "Mihail", "Michail"],
    &["Яковлев", "Yakovlev", "Iakovlev", "Jakowlew", "Яковлева"],
    &["Зайцев", "Zaitsev", "Zaytsev", "Zajcev", "Зайцева"],
    &["Шевченко", "Shevchenko", "Schewtschenko", "Ševčenko", "Szewczenko"],
    &["Ковальчук", "Kovalchuk", "Kowalczuk", "Kovalčuk"],
    &["Кузнецов", "Kuznetsov", "Kuznecov", "Kusnezow", "Кузнецова"],
    &["Третьяков", "Tretyakov", "Tretiakov", "Tretjakow"],
    &["Новожилова", "Novozhilova", "Novojilova", "Новожилов"],
    &["Ельцин", "Yeltsin", "Eltsin", "Jelzin"],
    &["Вишневский", "Vishnevsky", "Wiśniewski", "Вишневская", "Vishnevskaya"],
    &["Müller", "Mueller", "Muller", "Мюллер"],
    &["Schröder", "Schroeder", "Shröder", "Шрёдер"],
    &["Sørensen", "Sorensen", "Sörensen", "Сёренсен"],
    &["Нурсултан", "Nursultan", "Nursūltan"],
    &["Қайрат", "Кайрат", "Kairat", "Qairat", "Kayrat"],
    &["Жумабаев", "Zhumabayev", "Zhumabaev", "Jumabaev"],
    &["Тимофеева", "Timofeeva", "Timofeyeva", "Тимофеев"],
    &["Сергеенко", "Sergeenko", "Sergeyenko", "Sergejenko"],
    &["Поздняков", "Pozdnyakov", "Pozdniakov", "Posdnjakow"],
    &["Бондаренко", "Bondarenko", "Bondarenco"],
    &["Филиппов", "Filippov", "Philippov", "Filipov", "Filippova"],
    &["Оганесян", "Oganesyan", "Hovhannisyan", "Oganesian"],
];

#[test]
fn spellings_meet_and_names_stay_apart() {
    const LIMIT: f64 = 0.85;
    let folded: Vec<Vec<String>> = GROUPS.iter().map(|group| group.iter().map(|name| fold(name)).collect()).collect();
    let alike = |a: &str, b: &str| strsim::jaro_winkler(a, b) >= LIMIT;
    let (mut hits, mut positives, mut false_hits, mut negatives) = (0_u32, 0_u32, 0_u32, 0_u32);
    let (mut misses, mut mixed) = (Vec::new(), Vec::new());
    for (at, group) in folded.iter().enumerate() {
        for (one, a) in group.iter().enumerate() {
            for b in &group[one + 1..] {
                positives += 1;
                if alike(a, b) { hits += 1 } else { misses.push((a, b)) }
            }
            for b in folded[at + 1..].iter().flatten() {
                negatives += 1;
                if alike(a, b) {
                    false_hits += 1;
                    mixed.push((a, b));
                }
            }
        }
    }
    let recall = f64::from(hits) / f64::from(positives);
    let false_positive_rate = f64::from(false_hits) / f64::from(negatives);
    println!("recall {recall:.3} over {positives} pairs, false positives {false_positive_rate:.5} over {negatives} pairs");
    println!("missed {misses:?}\nmixed up {mixed:?}");
    assert!(recall >= 0.90, "recall {recall:.3}, missed {misses:?}");
    assert!(false_positive_rate <= 0.002, "false positives {false_positive_rate:.5}: {mixed:?}");
}

#[test]
fn a_fold_is_its_own_fold() {
    for name in GROUPS.iter().copied().flatten() {
        let once = fold(name);
        assert_eq!(fold(&once), once, "{name}");
    }
}
