//! The words of the pages, in the languages we speak.

use crate::config::Language;

/// The words of one language.
#[derive(Debug)]
pub struct Words {
    /// The language's code.
    pub lang: &'static str,
    /// The demo page's title.
    pub title: &'static str,
    /// What the page is.
    pub intro: &'static str,
    /// When no form source is configured.
    pub no_form: &'static str,
    /// Field.
    pub name: &'static str,
    /// Field.
    pub phone: &'static str,
    /// An example of a number.
    pub phone_hint: &'static str,
    /// Field.
    pub email: &'static str,
    /// Field.
    pub message: &'static str,
    /// Field.
    pub file: &'static str,
    /// What the sender agrees to.
    pub consent: &'static str,
    /// The label of the field nobody sees.
    pub trap: &'static str,
    /// The button.
    pub send: &'static str,
    /// Above the values taken from the address.
    pub attribution: &'static str,
    /// Before the link with UTM.
    pub try_utm: &'static str,
    /// Above the snippet.
    pub snippet_title: &'static str,
    /// What to do with it.
    pub snippet_intro: &'static str,
    /// The button that copies.
    pub copy: &'static str,
    /// When it has.
    pub copied: &'static str,
    /// Above what to do next.
    pub next_title: &'static str,
    /// Before the command.
    pub next: &'static str,
    /// The front door.
    pub front_title: &'static str,
    /// The front door.
    pub front: &'static str,
    /// Too many.
    pub flood_title: &'static str,
    /// Too many.
    pub flood: &'static str,
}

/// The words of a language.
pub fn of(language: Language) -> &'static Words {
    match language {
        Language::Ru => &RU,
        Language::En => &EN,
    }
}

static EN: Words = Words {
    lang: "en",
    title: "A form to try",
    intro: "This is an ordinary HTML form. Send it: you are thanked, and the gateway has a lead. Send it again with the phone written another way: it stays one lead of one person.",
    no_form: "No HTML form is configured. Add a source with kind = \"html_form\" to the configuration, and this page will show it.",
    name: "Name",
    phone: "Phone",
    phone_hint: "+1 202 555 0143",
    email: "E-mail",
    message: "Message",
    file: "File",
    consent: "I agree to the processing of my personal data",
    trap: "Leave this field empty",
    send: "Send",
    attribution: "Taken from this page's address",
    try_utm: "Open this page as an advertisement would, and the form will send the tags along:",
    snippet_title: "For your own page",
    snippet_intro: "Copy this into your page. The script carries advertising tags, the page of entry and the first visit, sends without a reload, and keeps what cannot be sent; without it the form works, too. The field off screen catches robots.",
    copy: "Copy",
    copied: "Copied",
    next_title: "And then",
    next: "See what became of it:",
    front_title: "A lead gateway",
    front: "Nothing is wrong. Enquiries arrive here from forms and other channels; there is nothing to see on this page.",
    flood_title: "Too many requests",
    flood: "Far more came from your address than people send, so this was not accepted. Please wait a minute and send it again.",
};

static RU: Words = Words {
    lang: "ru",
    title: "Пробная форма",
    intro: "Это обычная HTML-форма. Отправьте её: вы увидите благодарность, а в шлюзе появится лид. Отправьте ещё раз, записав телефон иначе: останется один лид одного человека.",
    no_form: "HTML-форма не настроена. Добавьте в конфигурацию источник с kind = \"html_form\", и страница его покажет.",
    name: "Имя",
    phone: "Телефон",
    phone_hint: "+7 912 345-67-89",
    email: "E-mail",
    message: "Сообщение",
    file: "Файл",
    consent: "Согласен на обработку персональных данных",
    trap: "Оставьте это поле пустым",
    send: "Отправить",
    attribution: "Взято из адреса этой страницы",
    try_utm: "Откройте страницу так, как её открывает реклама, и форма передаст метки:",
    snippet_title: "Для вашей страницы",
    snippet_intro: "Скопируйте это на свою страницу. Скрипт передаёт рекламные метки, страницу входа и первый визит, отправляет без перезагрузки и хранит то, что не ушло; без него форма тоже работает. Поле за краем экрана ловит роботов.",
    copy: "Копировать",
    copied: "Скопировано",
    next_title: "А дальше",
    next: "Посмотрите, что получилось:",
    front_title: "Шлюз заявок",
    front: "Всё в порядке. Сюда приходят заявки из форм и других каналов; на самой странице смотреть нечего.",
    flood_title: "Слишком много запросов",
    flood: "С вашего адреса пришло гораздо больше, чем отправляют люди, поэтому заявка не принята. Подождите минуту и отправьте её снова.",
};
