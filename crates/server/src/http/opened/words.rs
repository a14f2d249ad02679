//! The words of the page of a lead.

use crate::config::Language;

/// The words of a language.
pub(super) struct Words {
    pub lang: &'static str,
    pub lead: &'static str,
    pub nameless: &'static str,
    pub nobody: &'static str,
    pub made: &'static str,
    pub happened: &'static str,
    pub files: &'static str,
    pub more: &'static str,
    pub goes_on: &'static str,
    pub came_from: &'static str,
    pub page: &'static str,
    pub landing: &'static str,
    pub referrer: &'static str,
    pub comes_back: &'static str,
    pub claimed: &'static str,
    pub former: &'static str,
    pub on_its_way: &'static str,
    pub delivered: &'static str,
    pub failed: &'static str,
    pub no_lead: &'static str,
}

/// In a language.
pub(super) fn of(language: Language) -> &'static Words {
    match language {
        Language::Ru => &RU,
        Language::En => &EN,
    }
}

static RU: Words = Words {
    lang: "ru",
    lead: "Заявка",
    nameless: "Имя неизвестно",
    nobody: "никто не взял",
    made: "поступила",
    happened: "Что было",
    files: "Файлы",
    more: "Более ранние события здесь не показаны.",
    goes_on: "Показано начало текста.",
    came_from: "Откуда",
    page: "Страница",
    landing: "Страница входа",
    referrer: "Переход с",
    comes_back: "письма не доходят",
    claimed: "не подтверждён",
    former: "прежний",
    on_its_way: "в пути",
    delivered: "доставлено",
    failed: "не доставлено",
    no_lead: "Этого лида больше нет.",
};

static EN: Words = Words {
    lang: "en",
    lead: "Lead",
    nameless: "Name unknown",
    nobody: "nobody has it",
    made: "came",
    happened: "What happened",
    files: "Files",
    more: "What happened earlier is not shown here.",
    goes_on: "This is the beginning of the text.",
    came_from: "Where from",
    page: "Page",
    landing: "Page of entry",
    referrer: "Referred by",
    comes_back: "mails come back",
    claimed: "not confirmed",
    former: "former",
    on_its_way: "on its way",
    delivered: "delivered",
    failed: "did not arrive",
    no_lead: "This lead does not exist any more.",
};
