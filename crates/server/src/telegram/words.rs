//! What the bot says to those of us who write to it.

use leadgate_core::ids::LeadId;

use crate::answers::Via;
use crate::config::Language;

/// The words of a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    russian: bool,
}

impl Words {
    /// In a language.
    pub fn of(language: Language) -> Self {
        Self { russian: language == Language::Ru }
    }

    fn or(self, russian: &'static str, english: &'static str) -> &'static str {
        if self.russian { russian } else { english }
    }

    /// An account is a manager's now.
    pub fn linked(self, name: &str) -> String {
        let rest = self.or(
            "Сюда будут приходить заявки. Ответ на сообщение о заявке уходит клиенту.",
            "Leads are told here from now on. An answer to a message about a lead goes to the customer.",
        );
        if self.russian {
            format!("{name}, аккаунт подключён. {rest}")
        } else {
            format!("{name}, the account is linked. {rest}")
        }
    }

    /// A code that is none.
    pub fn wrong_code(self, left: u32) -> String {
        if self.russian {
            format!("Этот код не подходит или его время вышло (15 минут). Попросите новый. Осталось попыток: {left}.")
        } else {
            format!("This code is wrong, or its time (15 minutes) is over. Ask for a new one. Tries left: {left}.")
        }
    }

    /// Too many of them.
    pub fn too_many_codes(self, minutes: i64) -> String {
        if self.russian {
            format!("Слишком много неверных кодов. Попробуйте снова через {minutes} мин.")
        } else {
            format!("Too many wrong codes. Try again in {minutes} min.")
        }
    }

    /// An answer goes to the customer.
    pub fn on_its_way(self, lead: LeadId, via: Via) -> String {
        let by = match via {
            Via::Telegram => "Telegram",
            Via::Mail => self.or("почте", "mail"),
        };
        if self.russian {
            format!("Лид {lead}: ответ уходит клиенту по {by}.")
        } else {
            format!("Lead {lead}: the answer is on its way to the customer by {by}.")
        }
    }

    /// It does not.
    pub fn not_sent(self, why: &str) -> String {
        if self.russian { format!("Не отправлено: {why}") } else { format!("Not sent: {why}") }
    }

    /// How customers are answered.
    pub fn how_to_answer(self) -> &'static str {
        self.or(
            "Чтобы ответить клиенту, ответьте на сообщение о заявке или напишите: /r номер_заявки текст",
            "To answer a customer, answer the message about the lead, or write: /r number_of_the_lead text",
        )
    }

    /// A button that is pressed by somebody the gateway does not know.
    pub fn stranger(self) -> &'static str {
        self.or(
            "Кнопки работают только у менеджеров, подключивших свой аккаунт: leadgate manager link",
            "Buttons are for managers who have linked their account: leadgate manager link",
        )
    }

    /// A lead was taken by whoever pressed.
    pub fn taken(self, lead: LeadId) -> String {
        if self.russian { format!("Лид {lead} теперь ваш.") } else { format!("Lead {lead} is yours now.") }
    }

    /// Somebody else has it.
    pub fn taken_by(self, lead: LeadId, name: &str) -> String {
        if self.russian {
            format!("Лид {lead} уже взял(а) {name}.")
        } else {
            format!("{name} has taken lead {lead} already.")
        }
    }

    /// It was closed as junk.
    pub fn junk(self, lead: LeadId) -> String {
        if self.russian {
            format!("Лид {lead} закрыт как спам.")
        } else {
            format!("Lead {lead} is closed as junk.")
        }
    }

    /// It is open again.
    pub fn reopened(self, lead: LeadId) -> String {
        if self.russian { format!("Лид {lead} снова открыт.") } else { format!("Lead {lead} is open again.") }
    }

    /// An alarm: nothing can be said there.
    pub fn not_in_group(self, chat: i64) -> String {
        if self.russian {
            format!("бота больше нет в группе {chat}: добавьте его снова или укажите другую группу")
        } else {
            format!("the bot is not in the group {chat} any more: add it again, or name another")
        }
    }

    /// Nobody can be called.
    pub fn no_phone(self) -> &'static str {
        self.or("Телефон клиента неизвестен.", "The customer's phone is not known.")
    }

    /// It is not there any more.
    pub fn no_lead(self) -> &'static str {
        self.or("Этого лида больше нет.", "This lead does not exist any more.")
    }

    /// What a note says of a customer who wants to hear nothing.
    pub fn stopped(self) -> &'static str {
        self.or(
            "Клиент написал /stop: бот ему больше сам не пишет.",
            "The customer wrote /stop: the bot writes to them by itself no more.",
        )
    }
}
