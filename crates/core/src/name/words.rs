//! Words that are in name fields and are not names.

/// Texts that people and programs put where a name is wanted.
pub(super) fn is_junk_text(text: &str) -> bool {
    matches!(
        text,
        "test"
            | "тест"
            | "testtest"
            | "тесттест"
            | "test test"
            | "тест тест"
            | "test name"
            | "testing"
            | "тестирование"
            | "проверка"
            | "нет"
            | "no"
            | "none"
            | "null"
            | "nil"
            | "undefined"
            | "nan"
            | "n/a"
            | "na"
            | "не указано"
            | "не указан"
            | "не указана"
            | "no name"
            | "noname"
            | "без имени"
            | "name"
            | "имя"
            | "ваше имя"
            | "your name"
            | "фио"
            | "ф.и.о."
            | "имя фамилия"
            | "first name"
            | "last name"
            | "full name"
            | "аноним"
            | "anonymous"
            | "anonim"
            | "гость"
            | "guest"
            | "user"
            | "пользователь"
            | "клиент"
            | "client"
            | "customer"
            | "покупатель"
            | "заказчик"
            | "абонент"
            | "admin"
            | "администратор"
            | "администрация"
            | "unknown"
            | "неизвестно"
            | "неизвестный"
            | "неизвестен"
            | "скрыт"
            | "привет"
            | "hello"
            | "hi"
            | "здравствуйте"
            | "добрый день"
            | "да"
            | "yes"
            | "ok"
            | "ок"
            | "хз"
            | "просто"
            | "кто-то"
            | "deleted account"
            | "telegram user"
            | "whatsapp user"
            | "facebook user"
            | "пользователь telegram"
            | "новый лид"
            | "lead"
            | "лид"
            | "заявка"
            | "заявка с сайта"
            | "заказ"
            | "звонок"
            | "перезвоните"
            | "перезвоните мне"
            | "консультация"
            | "фамилия"
            | "отчество"
            | "ім'я"
            | "імʼя"
            | "немає"
            | "john doe"
            | "jane doe"
            | "абв"
            | "абвг"
            | "абвгд"
            | "иван иванов тест"
    )
}

/// Rows of a keyboard and their likes, in one word.
pub(super) fn is_gibberish(word: &str) -> bool {
    const STARTS: [&str; 16] = [
        "asdf", "asdasd", "qwer", "zxcv", "фыва", "йцук", "ячсм", "ывап", "sdfs", "dfgd", "ghjk", "выфв", "фывф", "ывыв", "qweq",
        "aassdd",
    ];
    let mut letters = word.chars();
    let first = letters.next();
    let repeated = word.chars().nth(1).is_some() && letters.all(|c| Some(c) == first);
    repeated
        || STARTS.iter().any(|start| word.starts_with(start))
        || matches!(
            word,
            "test"
                | "тест"
                | "тестовый"
                | "тестовая"
                | "qwe"
                | "asd"
                | "zxc"
                | "йцу"
                | "фыв"
                | "ячс"
                | "asdas"
                | "null"
                | "undefined"
                | "абв"
                | "abc"
        )
}

/// Forms of address, professions, family words and particles.
pub(super) fn is_title(word: &str) -> bool {
    matches!(
        word,
        "mr" | "мр"
            | "мистер"
            | "миссис"
            | "mrs"
            | "ms"
            | "miss"
            | "mx"
            | "dr"
            | "doctor"
            | "prof"
            | "professor"
            | "sir"
            | "madam"
            | "mister"
            | "lady"
            | "rev"
            | "hon"
            | "herr"
            | "frau"
            | "mme"
            | "mlle"
            | "monsieur"
            | "madame"
            | "señor"
            | "señora"
            | "senor"
            | "senora"
            | "don"
            | "doña"
            | "sig"
            | "signor"
            | "signora"
            | "г-н"
            | "г-жа"
            | "гн"
            | "гжа"
            | "господин"
            | "госпожа"
            | "гр"
            | "гражданин"
            | "гражданка"
            | "товарищ"
            | "др"
            | "доктор"
            | "проф"
            | "профессор"
            | "пан"
            | "пані"
            | "пани"
            | "ип"
            | "фоп"
            | "чп"
            | "спд"
            | "менеджер"
            | "директор"
            | "гендиректор"
            | "бухгалтер"
            | "руководитель"
            | "инженер"
            | "секретарь"
            | "владелец"
            | "manager"
            | "director"
            | "ceo"
            | "cto"
            | "мама"
            | "папа"
            | "муж"
            | "жена"
            | "сын"
            | "дочь"
            | "брат"
            | "сестра"
            | "бабушка"
            | "дедушка"
            | "тетя"
            | "тётя"
            | "дядя"
            | "mom"
            | "dad"
            | "меня"
            | "зовут"
            | "имя"
            | "фио"
            | "name"
            | "my"
            | "is"
            | "это"
            | "я"
            | "от"
            | "для"
            | "the"
            | "and"
            | "и"
            | "или"
            | "с"
            | "из"
            | "на"
            | "van"
            | "von"
            | "der"
            | "den"
            | "de"
            | "da"
            | "di"
            | "del"
            | "della"
            | "dos"
            | "du"
            | "la"
            | "le"
            | "el"
            | "al"
            | "bin"
            | "ibn"
            | "ben"
            | "bint"
            | "ter"
            | "ten"
            | "zu"
            | "af"
            | "av"
            | "фон"
            | "ван"
            | "де"
            | "дер"
            | "да"
            | "ди"
            | "дю"
            | "ла"
            | "ле"
            | "эль"
            | "аль"
            | "бен"
            | "ибн"
            | "бин"
    )
}

/// Legal forms: the text names a company.
pub(super) fn is_legal_form(word: &str) -> bool {
    matches!(
        word,
        "ооо"
            | "оао"
            | "зао"
            | "пао"
            | "ао"
            | "нко"
            | "ано"
            | "тоо"
            | "тов"
            | "пат"
            | "прат"
            | "кфх"
            | "гуп"
            | "муп"
            | "фгуп"
            | "фгбу"
            | "гбу"
            | "мбу"
            | "снт"
            | "тсж"
            | "тсн"
            | "гк"
            | "уп"
            | "чуп"
            | "одо"
            | "llc"
            | "ltd"
            | "limited"
            | "inc"
            | "corp"
            | "corporation"
            | "gmbh"
            | "ag"
            | "ug"
            | "plc"
            | "llp"
            | "sarl"
            | "sas"
            | "srl"
            | "spa"
            | "bv"
            | "nv"
            | "oy"
            | "ab"
            | "aps"
            | "pty"
            | "pte"
            | "компания"
            | "company"
            | "студия"
            | "магазин"
            | "салон"
            | "агентство"
            | "фирма"
            | "завод"
            | "клиника"
    )
}

/// The one form of a suffix that tells people of one name apart.
pub(super) fn suffix(word: &str) -> Option<&'static str> {
    Some(match word {
        "jr" | "jnr" | "junior" | "jun" | "мл" | "младший" | "младшая" | "молодший" => "jr",
        "sr" | "snr" | "senior" | "ст" | "старший" | "старшая" => "sr",
        "ii" | "2nd" => "ii",
        "iii" | "3rd" => "iii",
        "iv" | "4th" => "iv",
        _ => return None,
    })
}

/// A word behind a father's name: `Вагиф оглы`, `Serik qyzy`.
pub(super) fn is_patronymic_word(word: &str) -> bool {
    matches!(
        word,
        "оглы"
            | "оглу"
            | "кызы"
            | "гызы"
            | "улы"
            | "ұлы"
            | "қызы"
            | "oglu"
            | "ogly"
            | "qizi"
            | "kyzy"
            | "qyzy"
            | "uly"
            | "ugli"
            | "qızı"
            | "oğlu"
            | "угли"
    )
}

/// Whether a lower-case word has the ending of a patronymic. Surnames have it, too; the place of the word decides.
pub(super) fn has_patronymic_ending(word: &str) -> bool {
    const ENDINGS: [&str; 22] = [
        "ович",
        "евич",
        "ёвич",
        "овна",
        "евна",
        "ёвна",
        "ична",
        "инична",
        "йович",
        "івна",
        "ївна",
        "льич",
        "мич",
        "ovich",
        "evich",
        "ovych",
        "evych",
        "ovna",
        "evna",
        "ichna",
        "ivna",
        "ilyich",
    ];
    word.chars().count() >= 6 && ENDINGS.iter().any(|ending| word.ends_with(ending))
}
