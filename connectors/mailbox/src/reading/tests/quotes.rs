use std::time::{Duration, Instant};

use super::mail;
use crate::mime::Mail;
use crate::reading::{Cut, cut, cut_mail};

/// A quote as each mail program writes it, under a reply.
const QUOTES: &[&str] = &[
    "On Mon, Mar 3, 2025 at 6:26 PM, Jane Doe <jane@example.org> wrote:\n\n> Hi",
    "On Mon, Mar 3, 2025 at 6:26 PM, Jane Doe <jane@example.org>\nwrote:\n\n> Hi",
    "On 3 Mar 2025, at 19:21, Jane Doe <\njane@example.org> wrote:\n\nHi",
    "> On 3 Mar 2025, at 19:21, Jane Doe wrote:\n>\n> Hi",
    "--- On Mon, 3/3/25, jane@example.org <jane@example.org> wrote:\n\nHi",
    "---- On Mon, 03 Mar 2025 12:00:00 +0300 Jane Doe <jane@example.org> wrote ----\n\nHi",
    "jane@example.org writes:\n\n> Hi",
    "03.03.2025 14:20, Иван Петров пишет:\n> Добрый день",
    "03.03.2025 14:20 пользователь \"Иван\" <\nivan@example.org> написал:\n\n> Добрый день",
    "пн, 3 мар. 2025 г. в 14:20, Иван Петров <ivan@example.org>:\n\n> Добрый день",
    "03.03.2025, 14:41, \"Иван Петров\" <ivan@example.org>:\nДобрый день",
    "Понедельник, 3 марта 2025, 14:00 +03:00 от Иван Петров <ivan@example.org>:\n \nДобрый день",
    "3 марта 2025 г., в 14:20, Иван Петров <ivan@example.org> написал(а):\n\nДобрый день",
    "Вы писали 3 марта 2025 г., 12:00:33:\n\n> Добрый день",
    "----------------\nКому: Иван (ivan@example.org);\nТема: Заказ;\n03.03.2025, 12:00, \"Иван\" <ivan@example.org>:\n\nДобрый день",
    "3 бер. 2025 р. о 14:20 Іван Петренко <ivan@example.org> пише:\n\n> Добрий день",
    "Am 03.03.2025 um 14:20 schrieb Max Muster <max@example.org>:\n> Guten Tag",
    "Am Mo., 3. März 2025 um 14:20 Uhr schrieb Max Muster <max@example.org>:\n\nGuten Tag",
    "Le lun. 3 mars 2025 à 14:20, Jeanne <jeanne@example.org> a écrit :\n\n> Bonjour",
    "El lun, 3 mar 2025 a las 14:20, Juana (<juana@example.org>) escribió:\n\n> Hola",
    "-----Original Message-----\nFrom: Jane <jane@example.org>\nSent: Mon, Mar 3, 2025 5:49 pm\nSubject: Test\n\nHi",
    "-------- Исходное сообщение --------\nОт: Иван <ivan@example.org>\n\nДобрый день",
    "-----Ursprüngliche Nachricht-----\nVon: Max\n\nGuten Tag",
    "-----Mensaje original-----\nDe: Juana\n\nHola",
    "________________________________\nFrom: Jane Doe <jane@example.org>\nSent: Monday, March 3, 2025 3:50 PM\nTo: Joe\nSubject: Test\n\nHi",
    "*From:* Jane Doe\n*Sent:* Monday, March 3, 2025 3:50 PM\n*To:* Joe\n*Cc:* Jim; Jack;\n Jill\n*Subject:* Test\n\nHi",
    "От: Иван Петров\nОтправлено: 3 марта 2025 г. 15:05\nКому: Анна\nТема: Заказ\n\nДобрый день",
    "Від: Іван\nНадіслано: 3 березня 2025 р.\nКому: Анна\nТема: Замовлення\n\nДобрий день",
    "Von: Max Muster\nGesendet: Montag, 3. März 2025 14:20\nAn: Erika\nBetreff: Angebot\n\nGuten Tag",
    "De : Jeanne\nEnvoyé : lundi 3 mars 2025 14:20\nÀ : Paul\nObjet : Devis\n\nBonjour",
    "De: Juana\nEnviado el: lunes, 3 de marzo de 2025\nPara: Pablo\nAsunto: Presupuesto\n\nHola",
    "Date: Mon, 3 Mar 2025 13:53:45 +0400\nSubject: Test\nFrom: jane@example.org\nTo: joe@example.org\n\nHi",
];

#[test]
fn quotes_under_a_reply() {
    for quote in QUOTES {
        for reply in ["Hello", "Да, подходит.\n\nКогда привезёте?"] {
            let text = format!("{reply}\n\n{quote}\n").replace('\n', "\r\n");
            let cut = cut(&text);
            assert_eq!(cut.new, reply, "{quote}");
            assert!(!cut.quoted.is_empty(), "{quote}");
        }
    }
}

#[test]
fn answers_below_and_between_stay() {
    let cases = [
        ("On 04/02/2025 06:26 PM, Jane wrote:\n> Hi\nHello", "Hello"),
        ("> How much?\n\nFive.\n\n> When?\n\nTomorrow.", "Five.\n\nTomorrow."),
        ("03.03.2025 14:20, Иван пишет:\n> Сколько стоит?\n100 рублей.\n> А доставка?\nБесплатно.", "100 рублей.\nБесплатно."),
        ("-----Original Message-----\nFrom: Jane\nSent: today\n\n> Hi\n\nHello", "Hello"),
    ];
    for (text, new) in cases {
        assert_eq!(cut(text).new, new, "{text}");
    }
}

#[test]
fn what_is_no_quote_stays() {
    let texts = [
        "Вчера в 12:00 я писал Вам:\nнужно 5 штук.",
        "On Monday I wrote:\nplease send the offer.",
        "From: Moscow\nTo: Berlin\nHow much is the ticket?",
        "Нужно:\n- стол\n- стул",
        "Встреча 03.03.2025:\nжду в офисе.",
        "Имя: Иван\nТелефон: +7 916 123-45-67\nТема: Окна\nСообщение: Сколько стоит?",
        "Here is what he wrote:\nwe need ten of them",
        "> только цитата",
        "",
    ];
    for text in texts {
        assert_eq!(cut(text), Cut { new: text.to_owned(), ..Cut::default() }, "{text}");
    }
}

#[test]
fn what_was_forwarded_is_no_quote() {
    let markers = [
        "---------- Forwarded message ---------",
        "-------- Пересылаемое сообщение --------",
        "Begin forwarded message:",
        "Начало переадресованного сообщения:",
        "-------- Weitergeleitete Nachricht --------",
        "---------- Переслане повідомлення ----------",
    ];
    let headers = "From: Jane <jane@example.org>\nDate: Mon, Mar 3, 2025\nSubject: Offer\nTo: info@acme.example";
    for marker in markers {
        let text = format!("See below\n\n{marker}\n{headers}\n\nWe need ten.");
        assert_eq!(cut(&text).new, text, "{marker}");
    }
    let outlook = format!("See below\n\n{headers}\n\nWe need ten.");
    for subject in ["Fwd: Offer", "FW: Offer", "Пересл: Offer", "WG: Offer"] {
        assert_eq!(cut_mail(&mail(&[("subject", subject)], &outlook)).new, outlook, "{subject}");
    }
    assert_eq!(cut_mail(&mail(&[("subject", "RE: Offer")], &outlook)).new, "See below");
}

#[test]
fn signatures() {
    let cases = [
        ("Hello\n\n-- \nJane\n+1 202 555 0101", "Hello", "-- \nJane\n+1 202 555 0101"),
        ("Hello\n\nSent from my iPhone", "Hello", "Sent from my iPhone"),
        ("Да\n\nОтправлено из Почты Mail.ru для Android", "Да", "Отправлено из Почты Mail.ru для Android"),
        ("Ja\n\nVon meinem iPhone gesendet", "Ja", "Von meinem iPhone gesendet"),
        ("Так\n\nНадіслано з iPhone", "Так", "Надіслано з iPhone"),
        (
            "Добрый день!\nНужен прайс.\n\nС уважением,\nИван Петров\nтел. +7 916 123-45-67",
            "Добрый день!\nНужен прайс.",
            "С уважением,\nИван Петров\nтел. +7 916 123-45-67",
        ),
        ("Нужен прайс.\nС уважением, Иван", "Нужен прайс.", "С уважением, Иван"),
        (
            "Bitte um ein Angebot.\n\nMit freundlichen Grüßen\n\nErika Muster",
            "Bitte um ein Angebot.",
            "Mit freundlichen Grüßen\n\nErika Muster",
        ),
        ("Потрібен рахунок.\n\nЗ повагою,\nІван", "Потрібен рахунок.", "З повагою,\nІван"),
        ("Necesito un presupuesto.\n\nSaludos cordiales,\nJuana", "Necesito un presupuesto.", "Saludos cordiales,\nJuana"),
        (
            "We need ten.\n\nJane Doe\njane@example.org\n(555) 346-9947",
            "We need ten.",
            "Jane Doe\njane@example.org\n(555) 346-9947",
        ),
        ("We need ten.\n\nThanks,\nJane\n+1 202 555 0101", "We need ten.", "Thanks,\nJane\n+1 202 555 0101"),
    ];
    for (text, new, signature) in cases {
        let cut = cut(text);
        assert_eq!((cut.new.as_str(), cut.signature.as_str()), (new, signature.replace("-- ", "--").as_str()), "{text}");
    }
}

#[test]
fn what_is_no_signature_stays() {
    let texts = [
        "We need ten.\n\nThanks,\nJane",
        "С уважением,\nИван\nP.S. Позвоните завтра.",
        "С уважением отношусь к вам.\nПришлите прайс",
        "Regards your offer of Monday: we need\nten pieces",
        "Позвоните мне:\n+7 916 123-45-67\nivan@example.org",
        "С уважением,\nИван",
        "Prices:\n\n-- ten\n-- twenty",
    ];
    for text in texts {
        assert_eq!(cut(text).new, text, "{text}");
    }
}

#[test]
fn a_signature_of_somebody_known_needs_less() {
    let text = "We need ten.\n\nJane Doe\n+1 202 555 0101";
    assert_eq!(cut(text).new, text);
    assert_eq!(cut_mail(&mail(&[("from", "Jane Doe <jane@example.org>")], text)).new, "We need ten.");
}

#[test]
fn quotes_by_the_structure_of_html() {
    let quotes = [
        "<div class=\"gmail_quote\">On Monday, Jane wrote:<br><blockquote class='gmail_quote'>Hi</blockquote></div>",
        "<blockquote type=cite>Hi</blockquote>",
        "<div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\"><b>From:</b> Jane<br></div><p>Hi</p>",
        "<span id=OLK_SRC_BODY_SECTION><div>From: Jane</div><div>Hi</div></span>",
        "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p><b>Von:</b> Jane</p></div><p>Hi</p>",
        "<div class=\"yahoo_quoted\" id=\"x\"><div>Hi</div></div>",
        "<div data-marker=\"__QUOTED_TEXT__\">Hi</div>",
        "<div class=\"moz-cite-prefix\">Jane wrote:<br></div><blockquote><p>Hi",
        "<p>От: Иван<br>Отправлено: 3 марта 2025<br>Кому: Анна</p><p>Hi</p>",
    ];
    for quote in quotes {
        let html = format!(
            "<html><head><title>x</title><style>p {{ a > b }}</style></head><body><p>Да,&nbsp;беру</p><!-- <p>no --> {quote}"
        );
        let cut = cut_mail(&Mail { html: Some(html), text: "Да, беру Hi".to_owned(), ..Mail::default() });
        assert_eq!(cut.new.replace('\u{a0}', " "), "Да, беру", "{quote}");
        assert!(cut.quoted.contains("Hi"), "{quote}");
    }
}

#[test]
fn html_that_quotes_nothing_is_read_as_text() {
    let cases = [
        "<p>Yes</p>",
        "<div class=gmail_quote><div>---------- Forwarded message ----------</div>From: Jane</div>",
        "<blockquote style=\"margin:0 0 0 40px;border:none\">Yes</blockquote>",
        "<blockquote>everything</blockquote>",
        "",
    ];
    for html in cases {
        let cut = cut_mail(&Mail { html: Some(html.to_owned()), text: "As text".to_owned(), ..Mail::default() });
        assert_eq!(cut, Cut { new: "As text".to_owned(), ..Cut::default() }, "{html}");
    }
}

#[test]
fn a_plain_part_with_a_visible_quote_goes_before_html() {
    let text = "Yes\n\nOn 3 Mar 2025, Jane wrote:\n> Hi";
    let html = "<p>Something else</p><blockquote>Hi</blockquote>".to_owned();
    let both = Mail { plain: Some(text.to_owned()), text: text.to_owned(), html: Some(html), ..Mail::default() };
    assert_eq!(cut_mail(&both).new, "Yes");
}

#[test]
fn hostile_texts_are_cut_in_time() {
    let fill = |piece: &str| piece.repeat(1_000_000 / piece.len());
    let texts = [
        fill("> "),
        fill(">\n"),
        fill("From: x\n"),
        fill("From: x\nSent: y\n\n"),
        fill("On 2025 a@b\n"),
        fill("On 1.1.2025 x wrote"),
        fill("wrote: "),
        fill("x\n\n"),
        fill("_____\n"),
        fill("-----Original Message-----\n"),
        fill("с уважением\n"),
        fill("a@b.c "),
        fill("\u{200b}"),
    ];
    let pages = [
        fill("<div>"),
        fill("<div></span>"),
        fill("<blockquote><p>"),
        fill("<a \""),
        fill("<a '\"x"),
        fill("<!--"),
        fill("<style>"),
        fill("&amp"),
        fill("<br>"),
        fill("</div>"),
        fill("<div class=\"gmail_quote\" id='x' "),
        fill("<"),
    ];
    for text in texts {
        let started = Instant::now();
        let cut = cut(&text);
        assert!(!cut.new.is_empty() || text.trim().is_empty() || text.starts_with('\u{200b}'));
        in_time(started, &text);
    }
    for html in pages {
        let started = Instant::now();
        let cut = cut_mail(&Mail { html: Some(html.clone()), text: "x".to_owned(), ..Mail::default() });
        assert!(!cut.new.is_empty());
        in_time(started, &html);
    }
}

/// Far under what anything quadratic takes, even on a busy machine without optimisation.
fn in_time(started: Instant, text: &str) {
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?} for {:?}", leadgate_core::text::cut(text, 40));
}
