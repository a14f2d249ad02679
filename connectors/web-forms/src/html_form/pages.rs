//! The pages visitors see, in their language.

use askama::Template;
use bytes::Bytes;
use leadgate_core::ports::Reply;

use super::language::Language;

/// What a page says.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page<'a> {
    pub language: &'a str,
    /// `good`, `wait` or `bad`: the sign above the text.
    pub tone: &'a str,
    pub heading: &'a str,
    pub text: &'a str,
    pub company: &'a str,
    /// What to tell somebody who asks about it.
    pub reference: Option<String>,
    pub reference_label: &'a str,
    /// What the visitor typed, where it was not taken.
    pub typed: Vec<(String, String)>,
    /// Where to go from here.
    pub back: Option<String>,
    pub back_label: &'a str,
}

impl Page<'_> {
    /// The page as an answer. It loads nothing and runs nothing.
    pub(super) fn reply(&self, status: u16) -> Reply {
        let html = self.render().unwrap_or_else(|error| {
            tracing::error!(%error, "a page did not render");
            self.heading.replace(['<', '&'], " ")
        });
        Reply { status, headers: html_headers(), body: Bytes::from(html) }
    }
}

/// A page rendered once and cut where a visitor's own parts go: most of a page is the same for everybody.
pub(super) struct Prerendered {
    /// Before and behind the reference.
    plain: [String; 2],
    /// Before and behind the link back, and behind the reference.
    linked: [String; 3],
}

/// What stands where the parts will.
const BACK: &str = "\u{1}back\u{1}";
const REFERENCE: &str = "\u{1}reference\u{1}";

/// A text as the page's template writes it.
#[derive(Template)]
#[template(source = "{{ text }}", ext = "html")]
struct Escaped<'a> {
    text: &'a str,
}

impl Prerendered {
    /// None if the page cannot be cut: a text has one of the marks in it.
    pub(super) fn of<'a>(page: &dyn Fn() -> Page<'a>) -> Option<Self> {
        let plain = Page { reference: Some(REFERENCE.to_owned()), back: None, ..page() }.render().ok()?;
        let linked = Page { reference: Some(REFERENCE.to_owned()), back: Some(BACK.to_owned()), ..page() }.render().ok()?;
        if linked.matches('\u{1}').count() != 4 {
            return None;
        }
        let (before, behind) = plain.split_once(REFERENCE)?;
        let (to_link, rest) = linked.split_once(BACK)?;
        let (to_reference, rest) = rest.split_once(REFERENCE)?;
        Some(Self { plain: [before, behind].map(str::to_owned), linked: [to_link, to_reference, rest].map(str::to_owned) })
    }

    /// The page as an answer: the same as if it were rendered anew.
    pub(super) fn reply(&self, status: u16, back: Option<&str>, reference: &str) -> Reply {
        let escaped = |text| Escaped { text }.render().unwrap_or_default();
        let reference = escaped(reference);
        let html = match (back, &self.plain, &self.linked) {
            (None, [before, behind], _) => [before, reference.as_str(), behind].concat(),
            (Some(url), _, [before, between, behind]) => {
                [before, escaped(url).as_str(), between, reference.as_str(), behind].concat()
            }
        };
        Reply { status, headers: html_headers(), body: Bytes::from(html) }
    }
}

fn html_headers() -> Vec<(&'static str, String)> {
    [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// The texts of a language.
pub(super) struct Texts {
    pub thanks: &'static str,
    pub thanks_text: &'static str,
    pub reference: &'static str,
    pub back: &'static str,
    pub busy: &'static str,
    pub busy_text: &'static str,
    pub large: &'static str,
    pub captcha: &'static str,
    pub captcha_text: &'static str,
    pub form_here: &'static str,
    pub form_here_text: &'static str,
}

/// The texts.
pub(super) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::Ru => &RU,
        Language::En => &EN,
    }
}

const RU: Texts = Texts {
    thanks: "Спасибо!",
    thanks_text: "Мы получили ваше сообщение и скоро ответим.",
    reference: "Номер обращения",
    back: "Вернуться на сайт",
    busy: "Сейчас не получилось",
    busy_text: "Ваше сообщение не отправлено: слишком много обращений сразу. Подождите несколько секунд и обновите эту страницу, чтобы отправить его ещё раз.",
    large: "Сообщение слишком большое",
    captcha: "Подтвердите, что вы не робот",
    captcha_text: "Сообщение ещё не отправлено: проверка в форме не пройдена. Вернитесь к форме, пройдите её и отправьте ещё раз. Если проверка не видна, обновите страницу или отключите блокировщик.",
    form_here: "Здесь принимают форму",
    form_here_text: "Этот адрес принимает данные формы, отправленной методом POST. Укажите его в атрибуте action формы на сайте и добавьте method=\"post\".",
};

const EN: Texts = Texts {
    thanks: "Thank you!",
    thanks_text: "We have your message and will answer soon.",
    reference: "Reference",
    back: "Back to the site",
    busy: "That did not work just now",
    busy_text: "Your message was not sent: too many arrived at once. Wait a few seconds and reload this page to send it again.",
    large: "The message is too large",
    captcha: "Please confirm that you are not a robot",
    captcha_text: "Your message was not sent yet: the check in the form was not done. Go back to the form, do it and send again. If you see no check, reload the page or switch your blocker off.",
    form_here: "A form is expected here",
    form_here_text: "This address takes a form's POST. Put it into the action attribute of the form on the site and add method=\"post\".",
};

/// What is too large, with the limits.
pub(super) fn too_large(language: Language, body: u64, files: usize, file: u64, files_total: u64) -> String {
    let mb = |bytes: u64| bytes >> 20;
    match language {
        Language::Ru => format!(
            "Сообщение не принято. Можно отправить до {} МБ текста и до {files} файлов, каждый до {} МБ, вместе до {} МБ; одно поле вмещает до \
             64 КБ. Вернитесь к форме и сократите его.",
            mb(body),
            mb(file),
            mb(files_total)
        ),
        Language::En => format!(
            "The message was not taken. You can send up to {} MB of text and up to {files} files of up to {} MB each, {} MB together; one field \
             holds up to 64 KB. Go back to the form and shorten it.",
            mb(body),
            mb(file),
            mb(files_total)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(company: &str) -> Page<'_> {
        Page {
            language: "en",
            tone: "good",
            heading: "Thanks",
            text: "<b>",
            company,
            reference: None,
            reference_label: "Reference",
            typed: Vec::new(),
            back: None,
            back_label: "Back",
        }
    }

    #[test]
    fn prerendered_is_rendered() {
        for company in ["", "A & B"] {
            let prerendered = Prerendered::of(&|| page(company)).unwrap();
            for back in [None, Some("https://a.example/?x=1&y='2'")] {
                let anew = Page { back: back.map(str::to_owned), reference: Some("id".to_owned()), ..page(company) };
                assert_eq!(prerendered.reply(200, back, "id"), anew.reply(200));
            }
        }
        assert!(Prerendered::of(&|| page(REFERENCE)).is_none());
    }
}
