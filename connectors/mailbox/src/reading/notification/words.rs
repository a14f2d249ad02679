//! What the notifications of forms say beside their fields, in Russian, English, Ukrainian, German and Spanish.

use std::collections::HashSet;
use std::sync::LazyLock;

use leadgate_wire::fields;

use super::super::quote::{self, Label};

/// Labels of the delivery, as [`fields::label`] gives them.
const ENVELOPE: &str = "date|time|date and time|date time|submitted|submitted on|submitted at|submission date|submission id|submission|\
    entry id|entry|timestamp|ip|ip address|remote ip|user ip|client ip|visitor ip|user agent|browser|device|platform|operating system|\
    os|powered by|sent from|sent by|transaction id|block id|request id|lead id|ticket|ticket id|geo|location|country|site|site name|\
    website name|host|language|locale|additional information|technical information|meta|дата|время|дата и время|дата отправки|\
    дата создания|время отправки|ip адрес|ип|браузер|устройство|сайт|источник|отправлено|отправлено с|посетитель|сессия|результат|\
    пользователь|id транзакции|id блока|id заявки|номер заявки|дополнительная информация|дополнительно|час|дата та час|ip адреса|\
    джерело|пристрій|додаткова інформація|datum|uhrzeit|datum und uhrzeit|ip adresse|gesendet am|gesendet von|eingegangen am|\
    zusätzliche informationen|herkunft|gerät|fecha|hora|fecha y hora|dirección ip|direccion ip|navegador|dispositivo|enviado desde|\
    información adicional|agente de usuario|request details|детали заявки|деталі заявки";

static ENVELOPE_LABELS: LazyLock<HashSet<&str>> = LazyLock::new(|| ENVELOPE.split('|').collect());

/// Whether a label tells of the delivery and not of the person.
pub(super) fn is_envelope(label: &str) -> bool {
    ENVELOPE_LABELS.contains(fields::label(std::slice::from_ref(&label.to_owned())).as_str())
}

/// What only the notification of a form says, lower case.
const SAYS_FORM: &[&str] = &[
    "contact form",
    "web form",
    "web-form",
    "webform",
    "form submission",
    "form entry",
    "form response",
    "new submission",
    "new entry",
    "new response",
    "new lead",
    "new enquiry",
    "new inquiry",
    "new message from your",
    "new message from website",
    "new message from the website",
    "submitted the form",
    "submitted a form",
    "filled out the form",
    "filled in the form",
    "was submitted on your website",
    "visitor to your site",
    "sent from your website",
    "sent from the website",
    "sent from your site",
    "from your online store",
    "request details",
    "callback request",
    "заявка с сайта",
    "заявка на сайте",
    "заявка с вашего сайта",
    "новая заявка",
    "новый лид",
    "детали заявки",
    "обратный звонок",
    "заказ звонка",
    "с формы",
    "из формы",
    "через форму",
    "форма обратной связи",
    "формы обратной связи",
    "форму обратной связи",
    "web-форма",
    "веб-форм",
    "сообщение с сайта",
    "сообщение с вашего сайта",
    "письмо с сайта",
    "вопрос с сайта",
    "обращение с сайта",
    "заказ с сайта",
    "отправлено с сайта",
    "отправлена с сайта",
    "сгенерировано автоматически",
    "сформировано автоматически",
    "заявка із сайту",
    "заявка з сайту",
    "нова заявка",
    "повідомлення з сайту",
    "повідомлення із сайту",
    "форма зворотного зв",
    "форми зворотного зв",
    "форму зворотного зв",
    "надіслано з сайту",
    "надіслано із сайту",
    "деталі заявки",
    "kontaktformular",
    "webformular",
    "neue anfrage",
    "neue nachricht von ihrer",
    "neue nachricht über",
    "formular abgeschickt",
    "über ihre website",
    "über ihre webseite",
    "formulario de contacto",
    "formulario web",
    "nuevo mensaje desde",
    "nuevo mensaje de tu",
    "nueva solicitud",
    "nueva consulta",
    "nuevo envío",
    "enviado desde la web",
    "desde tu sitio",
    "desde su sitio",
];

/// What says that a form is heard, if anything in the text does.
pub(super) fn says_form(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    SAYS_FORM.iter().find(|words| text.contains(**words)).copied()
}

/// How the last lines of a notification begin, or what stands in them, lower case. Nothing below is a customer's.
const FOOTERS: &[&str] = &[
    "this e-mail was sent from",
    "this email was sent from",
    "this mail was sent",
    "this message was sent",
    "this is a notification that a contact form",
    "this email has been sent",
    "sent from ",
    "sent by an unverified visitor",
    "sent by a verified",
    "you can reply to this",
    "reply to this email to respond",
    "to reply directly",
    "to view this submission",
    "view this submission",
    "view submission",
    "view entry",
    "view all responses",
    "view responses",
    "посмотреть ответы",
    "перейти к ответам",
    "посмотреть заявку",
    "переглянути відповіді",
    "antworten ansehen",
    "ver respuestas",
    "manage your notifications",
    "manage submissions",
    "powered by",
    "unsubscribe from",
    "this submission was",
    "this form was submitted",
    "does this submission look like spam",
    "mark as spam",
    "отправлено с сайта",
    "отправлено через",
    "отправлено со страницы",
    "письмо отправлено с",
    "сообщение отправлено с",
    "это письмо отправлено",
    "это сообщение отправлено",
    "это письмо было отправлено",
    "это сообщение было отправлено",
    "это письмо сгенерировано",
    "это автоматическое",
    "письмо сгенерировано",
    "сообщение сгенерировано",
    "письмо сформировано",
    "сообщение сформировано",
    "для просмотра воспользуйтесь",
    "не отвечайте на это",
    "пожалуйста, не отвечайте",
    "цей лист надіслано",
    "цей лист було надіслано",
    "це повідомлення надіслано",
    "це повідомлення було надіслано",
    "надіслано з сайту",
    "надіслано із сайту",
    "лист згенеровано",
    "повідомлення згенеровано",
    "diese e-mail wurde",
    "diese nachricht wurde",
    "diese mail wurde",
    "gesendet über",
    "dies ist eine automatische",
    "este mensaje se ha enviado",
    "este mensaje se envió",
    "este mensaje fue enviado",
    "este correo se ha enviado",
    "este correo electrónico se ha enviado",
    "este correo electrónico fue enviado",
    "este correo fue enviado",
    "enviado desde",
    "mensaje generado automáticamente",
];

/// Whether a line is the first of those a form's software puts below everything.
pub(super) fn is_footer(line: &str) -> bool {
    if line.len() > 400 {
        return false;
    }
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    FOOTERS.iter().any(|words| line.starts_with(words))
}

/// How people end a letter, before they name themselves.
const CLOSINGS: &[&str] = &[
    "с уважением",
    "с наилучшими",
    "с найкращими",
    "з повагою",
    "всего доброго",
    "всього найкращого",
    "best regards",
    "kind regards",
    "warm regards",
    "regards",
    "sincerely",
    "yours ",
    "best wishes",
    "many thanks",
    "cheers",
    "mit freundlichen",
    "freundliche grüße",
    "viele grüße",
    "beste grüße",
    "liebe grüße",
    "mfg",
    "saludos",
    "un saludo",
    "atentamente",
    "cordialmente",
    "un cordial saludo",
    "sent from my ",
    "отправлено с iphone",
    "отправлено из мобильной",
];

/// Whether a line ends a letter: what stands below is a signature.
pub(super) fn is_closing(line: &str) -> bool {
    let line = line.trim();
    // "--" with or without its space (RFC 3676, 4.3).
    if line == "--" {
        return true;
    }
    let lower = line.chars().take(60).collect::<String>().to_lowercase();
    line.len() <= 120 && CLOSINGS.iter().any(|words| lower.starts_with(words))
}

/// How people begin a letter.
const GREETINGS: &[&str] = &[
    "здравствуйте",
    "добрый день",
    "доброе утро",
    "добрый вечер",
    "доброго времени",
    "привет",
    "уважаем",
    "коллеги",
    "добрий день",
    "доброго дня",
    "вітаю",
    "шановн",
    "hello",
    "hi ",
    "hi,",
    "hi!",
    "dear ",
    "good morning",
    "good afternoon",
    "hallo",
    "guten tag",
    "guten morgen",
    "sehr geehrte",
    "liebe ",
    "lieber ",
    "hola",
    "buenos días",
    "buenas tardes",
    "estimad",
];

/// Whether a line greets.
pub(super) fn is_greeting(line: &str) -> bool {
    let lower = line.trim().chars().take(40).collect::<String>().to_lowercase();
    GREETINGS.iter().any(|words| lower.starts_with(words)) || lower == "hi"
}

/// Labels under which a form names the visitor and the address together (`From: Anna anna@example.com`).
const SENDERS: &[&str] =
    &["from", "sender", "sent by", "от", "от кого", "отправитель", "від", "відправник", "von", "absender", "de", "remitente"];

/// Whether a label names who sent the form.
pub(super) fn is_sender(label: &str) -> bool {
    let label = label.trim().to_lowercase();
    SENDERS.contains(&label.as_str())
}

/// Whether a label is a header field of a mail, one that no form has beside its "From".
pub(super) fn is_mail_header(label: &str) -> bool {
    matches!(quote::label(&format!("{label}:")), Some((Label::Date | Label::To | Label::Cc, _)))
}
